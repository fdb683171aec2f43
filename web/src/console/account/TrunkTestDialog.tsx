import { useState } from "react";
import { client, ok, type Schemas } from "../../api/client";
import { measure } from "../../texts/format";
import { t } from "../../texts/pages";
import { sentenceInReadersLanguage } from "../../texts/problems";
import { Button } from "../../ui/Button";
import { Dialog, DialogActions } from "../../ui/Dialog";
import css from "../../ui/Dialog.module.css";
import { TextField } from "../../ui/Field";
import { Badge, Facts, Loading, type Tone } from "../../ui/Page";
import { ProblemBox } from "../../ui/Problem";
import { parseTargets } from "../room/targets";

type TrunkTest = Schemas["TrunkTest"];

const tones: Record<Schemas["CallTestOutcome"], Tone> = {
  answered: "good",
  refused: "bad",
  no_answer: "warn",
};

/** Asks the provider whether it is there and, where a number is given, calls it and hangs up when it is answered. */
export function TrunkTestDialog({ name, onClose }: { name: string; onClose: () => void }) {
  const [to, setTo] = useState("");
  const [state, setState] = useState<{ result?: TrunkTest; error?: unknown; isBusy?: boolean }>({});
  const test = async () => {
    setState({ isBusy: true });
    try {
      // As people write numbers; what is none is named by the service.
      const { targets, wrong } = parseTargets(to);
      const target = targets.length === 1 && wrong.length === 0 ? targets[0] : undefined;
      const body = to.trim() ? { to: target?.to ?? to.trim() } : {};
      const result = await ok(client.POST("/v1/trunks/{name}/test", { params: { path: { name } }, body }));
      setState({ result });
    } catch (error) {
      setState({ error });
    }
  };
  return (
    <Dialog title={t("trunk_test.of", { name })} onClose={onClose}>
      <form
        className={css.form}
        onSubmit={(event) => {
          event.preventDefault();
          void test();
        }}
      >
        <TextField
          label={t("trunk_test.to")}
          hint={t("trunk_test.to.hint")}
          type="tel"
          value={to}
          onChange={(event) => setTo(event.target.value)}
        />
        {state.error !== undefined && <ProblemBox error={state.error} />}
        {state.isBusy && <Loading label={t("trunk_test.running")} />}
        {state.result && <Result result={state.result} />}
        <DialogActions>
          <Button type="submit" look="primary" isBusy={Boolean(state.isBusy)}>
            {t("trunk_test")}
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}

/** From a second on in seconds. */
const took = (ms: number | null | undefined) =>
  ms != null && ms >= 1_000 ? measure(ms / 1_000, "s", 1) : measure(ms, "ms");

function Result({ result: { options, call } }: { result: TrunkTest }) {
  const said = (status?: number | null, reason?: string | null) =>
    [status, reason].filter(Boolean).join(" ") || "–";
  return (
    <div role="status">
      <Facts>
        {[
          [
            t("trunk_test.options"),
            <Badge key="options" tone={options.status != null && options.status < 500 ? "good" : "bad"}>
              {options.error
                ? sentenceInReadersLanguage(options.error)
                : options.status != null && options.status < 500
                  ? t("trunk_test.answers", { status: said(options.status, options.reason) })
                  : said(options.status, options.reason)}
            </Badge>,
          ],
          [t("trunk_test.took"), took(options.duration_ms)],
          ...(call
            ? ([
                [
                  t("trunk_test.call"),
                  <Badge key="call" tone={tones[call.outcome]}>
                    {t(`trunk_test.${call.outcome}`)}
                  </Badge>,
                ],
                [t("trunk_test.answer"), said(call.status, call.reason)],
                [t("trunk_test.ringing"), took(call.ringing_after_ms)],
                [t("trunk_test.answered_after"), took(call.answered_after_ms)],
                [t("trunk_test.ended"), took(call.ended_after_ms)],
              ] satisfies [string, string | React.ReactNode][])
            : []),
        ]}
      </Facts>
    </div>
  );
}
