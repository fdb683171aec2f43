import { Link2 } from "lucide-react";
import { useState } from "react";
import { client, ok } from "../api/client";
import { t } from "../texts/console";
import { dateTime } from "../texts/format";
import { Button } from "../ui/Button";
import { CopyField } from "../ui/CopyField";
import { Dialog, DialogActions } from "../ui/Dialog";
import { CheckField, SelectField, TextField } from "../ui/Field";
import { ProblemBox } from "../ui/Problem";
import { useForm } from "../ui/useForm";

const rememberedUnder = "plenary.invite";

type Remembered = {
  service: string;
  number: string;
  hasKeys: boolean;
};

/** The service by which the last invitation went; `{name}` stands for the conference. */
function remembered(): Remembered {
  try {
    return JSON.parse(localStorage.getItem(rememberedUnder) ?? "") as Remembered;
  } catch {
    return { service: "conf-{name}", number: "", hasKeys: false };
  }
}

/** A link for people without an account: the token is good for a service until it expires. */
export function InviteDialog({
  conference,
  title,
  onClose,
}: {
  conference: string;
  title?: string;
  onClose: () => void;
}) {
  const { form, text, check } = useForm(remembered);
  const [validS, setValidS] = useState("86400");
  const [link, setLink] = useState<{ url: string; expiresAt: string } | null>(null);
  const [error, setError] = useState<unknown>(null);
  const service = form.service.replaceAll("{name}", conference);

  const make = async () => {
    setError(null);
    try {
      const { token, expires_at } = await ok(
        client.POST("/v1/tokens", { body: { service, valid_s: Number(validS) } }),
      );
      const said = new URLSearchParams({ token, title: title || conference });
      if (form.number) said.set("number", form.number);
      if (form.hasKeys) said.set("keys", "1");
      setLink({
        url: `${location.origin}/join/${encodeURIComponent(service)}#${said}`,
        expiresAt: expires_at,
      });
      localStorage.setItem(rememberedUnder, JSON.stringify(form));
    } catch (problem) {
      setError(problem);
    }
  };
  return (
    <Dialog title={t("invite.to", { name: conference })} onClose={onClose}>
      {error !== null && <ProblemBox error={error} />}
      {link ? (
        <CopyField
          label={t("invite.link")}
          note={t("invite.valid_until", { time: dateTime(link.expiresAt) })}
          value={link.url}
        />
      ) : (
        <>
          <TextField
            label={t("invite.service")}
            hint={t("invite.service.hint", { service })}
            {...text("service")}
          />
          <SelectField
            label={t("invite.valid")}
            value={validS}
            onChange={(event) => setValidS(event.target.value)}
          >
            <option value="3600">{t("invite.hour")}</option>
            <option value="28800">{t("invite.hours", { count: 8 })}</option>
            <option value="86400">{t("invite.hours", { count: 24 })}</option>
          </SelectField>
          <TextField
            label={t("invite.number")}
            hint={t("invite.number.hint")}
            type="tel"
            {...text("number")}
          />
          <CheckField label={t("invite.keys")} {...check("hasKeys")} />
          <DialogActions>
            <Button look="primary" icon={<Link2 />} onClick={() => void make()}>
              {t("invite.make")}
            </Button>
          </DialogActions>
        </>
      )}
    </Dialog>
  );
}
