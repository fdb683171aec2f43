import { Headphones, Mic, Phone, Volume2 } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { canChooseSpeaker } from "../sip/audio";
import { zonedPeriod } from "../texts/format";
import { t } from "../texts/join";
import { Button } from "../ui/Button";
import { CheckField, SelectField, TextField } from "../ui/Field";
import { Meter } from "../ui/Meter";
import css from "./Join.module.css";
import { type Invitation, telephoneUri } from "./link";
import { Outcome } from "./Outcome";
import { type JoinSession, kept, type SessionView } from "./session";

interface SetupProps {
  invitation: Invitation;
  session: JoinSession;
  view: SessionView;
  isResuming: boolean;
}

export function Setup({ invitation, session, view, isResuming }: SetupProps) {
  const [name, setName] = useState(() => kept.read("name"));
  const [nameMissing, setNameMissing] = useState(false);
  const [pin, setPin] = useState(invitation.pin ?? "");
  const [muted, setMuted] = useState(view.muted);
  const [isJoining, setJoining] = useState(false);
  const nameField = useRef<HTMLInputElement>(null);
  const { kind } = view.state;
  const isOver = kind === "ended" || kind === "failed";
  // What the browser does not give is not asked for by the button that joins.
  const isWithout = view.microphone !== "open" && view.microphone !== "closed";
  const asksPin = invitation.room !== null && invitation.pin === null;

  const join = (listenOnly: boolean) => {
    if (!name.trim()) {
      nameField.current?.focus();
      return setNameMissing(true);
    }
    // Until the browser has said whether it gives the microphone.
    setJoining(!listenOnly);
    void session.join(name.trim(), { listenOnly, muted, pin }).finally(() => setJoining(false));
  };
  return (
    <main className={css.columns}>
      <form
        className={css.card}
        onSubmit={(event) => {
          event.preventDefault();
          join(isWithout);
        }}
      >
        {isOver && <Outcome state={view.state} />}
        <h1>{invitation.title ? t("heading.named", { title: invitation.title }) : t("heading")}</h1>
        {invitation.startsAt && (
          <p>{zonedPeriod(invitation.startsAt, invitation.endsAt ?? invitation.startsAt)}</p>
        )}
        <TextField
          ref={nameField}
          label={t("name")}
          hint={t("name.hint")}
          error={nameMissing ? t("name.missing") : undefined}
          value={name}
          maxLength={60}
          autoComplete="name"
          onChange={(event) => {
            setName(event.target.value);
            setNameMissing(false);
          }}
        />
        {asksPin && (
          <TextField
            label={t("phone.pin")}
            hint={t("pin.hint")}
            value={pin}
            inputMode="numeric"
            autoComplete="off"
            onChange={(event) => setPin(event.target.value.replace(/\D/g, "").slice(0, 12))}
          />
        )}
        <Microphone session={session} view={view} />
        <Speaker session={session} view={view} />
        {!isWithout && (
          <CheckField
            label={t("muted.join")}
            checked={muted}
            onChange={(event) => setMuted(event.target.checked)}
          />
        )}
        <div className={css.actions}>
          <Button
            type="submit"
            look="primary"
            size="large"
            icon={isWithout ? <Headphones /> : <Phone />}
            disabled={isResuming}
            isBusy={isJoining}
          >
            {isWithout
              ? t("join.listen")
              : t(kind === "failed" ? "join.retry" : kind === "ended" ? "rejoin" : "join")}
          </Button>
          {view.microphone === "closed" && (
            <Button size="large" icon={<Headphones />} onClick={() => join(true)} disabled={isResuming}>
              {t("join.listen")}
            </Button>
          )}
        </div>
      </form>
      {invitation.number && <ByTelephone invitation={invitation} />}
    </main>
  );
}

/** What the microphone hears, and what is wrong if it hears nothing. */
export function Microphone({ session, view }: { session: JoinSession; view: SessionView }) {
  const heard = useHeard(session, view.microphone === "open", view.microphoneId);
  if (view.microphone !== "open") {
    return (
      <div className={css.device}>
        {view.microphone !== "closed" && (
          <p className={css.notice} role="alert">
            {t(`failure.${view.microphone}`)}
          </p>
        )}
        <div className={css.row}>
          <Button icon={<Mic />} onClick={() => void session.openMicrophone()}>
            {t(view.microphone === "closed" ? "microphone.use" : "microphone.again")}
          </Button>
          {view.microphone === "closed" && <span className={css.quiet}>{t("microphone.ask")}</span>}
        </div>
      </div>
    );
  }
  return (
    <div className={css.device}>
      <SelectField
        label={t("microphone")}
        value={view.microphoneId}
        onChange={(event) => void session.openMicrophone(event.target.value)}
        hint={
          heard === "silence" ? undefined : t(heard === "speech" ? "microphone.hears" : "microphone.speak")
        }
      >
        {!view.devices.microphones.some((device) => device.deviceId === view.microphoneId) && (
          <option value={view.microphoneId}>{t("microphone.default")}</option>
        )}
        {view.devices.microphones.map((device) => (
          <option key={device.deviceId} value={device.deviceId}>
            {device.label || t("microphone")}
          </option>
        ))}
      </SelectField>
      {heard === "silence" && (
        <p className={css.notice} role="alert">
          {t("microphone.silent")}
        </p>
      )}
      <Meter read={session.readMeter} label={t("microphone.level")} />
    </div>
  );
}

/** Whether speech was heard, or nothing at all for five seconds. */
function useHeard(session: JoinSession, isOpen: boolean, device: string): "speech" | "silence" | "waiting" {
  const [heard, setHeard] = useState<"speech" | "silence" | "waiting">("waiting");
  // biome-ignore lint/correctness/useExhaustiveDependencies: another device is listened to from the beginning.
  useEffect(() => {
    if (!isOpen) return;
    setHeard("waiting");
    let quiet = 0;
    const timer = setInterval(() => {
      const db = session.microphoneDb;
      quiet = db < -75 ? quiet + 1 : 0;
      if (db > -45) setHeard("speech");
      else if (quiet >= 25) setHeard("silence");
    }, 200);
    return () => clearInterval(timer);
  }, [session, isOpen, device]);
  return heard;
}

export function Speaker({ session, view }: { session: JoinSession; view: SessionView }) {
  const play = (
    <Button icon={<Volume2 />} onClick={() => void session.playSample().catch(() => undefined)}>
      {t("speaker.play")}
    </Button>
  );
  if (!canChooseSpeaker || view.devices.speakers.length === 0) return <div className={css.row}>{play}</div>;
  return (
    <div className={css.withButton}>
      <SelectField
        label={t("speaker")}
        value={view.speakerId}
        onChange={(event) => void session.chooseSpeaker(event.target.value)}
      >
        {!view.devices.speakers.some((device) => device.deviceId === view.speakerId) && (
          <option value={view.speakerId}>{t("speaker.default")}</option>
        )}
        {view.devices.speakers.map((device) => (
          <option key={device.deviceId} value={device.deviceId}>
            {device.label || t("speaker")}
          </option>
        ))}
      </SelectField>
      {play}
    </div>
  );
}

function ByTelephone({ invitation }: { invitation: Invitation }) {
  const number = invitation.number ?? "";
  const pin = invitation.pin ?? invitation.phonePin;
  return (
    <aside className={css.aside} aria-labelledby="by-telephone">
      <h2 id="by-telephone">{t("phone.heading")}</h2>
      <dl className={css.numbers}>
        <dt>{t("phone.number")}</dt>
        <dd>{number}</dd>
        {invitation.phoneRoom && (
          <>
            <dt>{t("phone.room")}</dt>
            <dd>{invitation.phoneRoom} #</dd>
          </>
        )}
        {pin && (
          <>
            <dt>{t("phone.pin")}</dt>
            <dd>{pin} #</dd>
          </>
        )}
        {invitation.asksPhonePin && (
          <>
            <dt>{t("phone.pin")}</dt>
            <dd>{t("phone.pin.apart")}</dd>
          </>
        )}
      </dl>
      <a className={css.tel} href={telephoneUri(invitation)}>
        <Phone aria-hidden="true" /> {t("phone.call", { number })}
      </a>
    </aside>
  );
}
