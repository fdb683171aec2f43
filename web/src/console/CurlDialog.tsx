import { useState } from "react";
import { asCurl, recentRequests } from "../api/recent";
import { t } from "../texts/pages";
import { CopyField } from "../ui/CopyField";
import { Dialog } from "../ui/Dialog";
import { SelectField } from "../ui/Field";
import { Empty } from "../ui/Page";

/** What the pages have asked of the management API, as commands for a shell: whatever they do, programs can. */
export default function CurlDialog({ onClose }: { onClose: () => void }) {
  const [requests] = useState(recentRequests);
  const [chosen, setChosen] = useState(0);
  const request = requests[chosen];
  return (
    <Dialog title={t("curl.show")} onClose={onClose} wide>
      <p>{t("curl.text")}</p>
      {request ? (
        <>
          <SelectField
            label={t("curl.request")}
            value={chosen}
            onChange={(event) => setChosen(Number(event.target.value))}
          >
            {requests.map(({ id, method, url }, index) => (
              <option key={id} value={index}>
                {`${method} ${url.slice(location.origin.length)}`}
              </option>
            ))}
          </SelectField>
          <CopyField label={t("curl.command")} value={asCurl(request)} />
          <a href="/docs/api/">{t("curl.reference")}</a>
        </>
      ) : (
        <Empty>{t("curl.none")}</Empty>
      )}
    </Dialog>
  );
}
