import { amount, measure, percent } from "../../texts/format";
import { t } from "../../texts/pages";
import { Badge, Facts } from "../../ui/Page";
import { lowestMos, qualityOf, qualityTone, type Statistics } from "./hints";

/** What a line is like at this moment. */
export function StatisticsFacts({ statistics }: { statistics: Statistics }) {
  const quality = qualityOf(statistics.mos);
  return (
    <Facts>
      {[
        [
          t("quality"),
          <Badge key="quality" tone={qualityTone[quality]}>
            {t(`quality.${quality}`)}
          </Badge>,
        ],
        ["MOS", amount(statistics.mos || null, 2)],
        [t("statistics.mos_min"), amount(lowestMos(statistics), 2)],
        [t("statistics.codec"), statistics.codec ?? "–"],
        [t("statistics.srtp"), statistics.srtp ?? t("statistics.plain")],
        [t("statistics.jitter"), measure(statistics.jitter_ms, "ms", 1)],
        [t("statistics.buffer"), measure(statistics.buffer_ms, "ms")],
        [t("statistics.round_trip"), measure(statistics.round_trip_ms, "ms")],
        [t("statistics.received"), amount(statistics.packets_received)],
        [t("statistics.lost"), amount(statistics.packets_lost)],
        [t("statistics.remote_loss"), percent(statistics.remote_loss)],
        [t("statistics.level"), measure(statistics.level_dbov, "dBov")],
        [t("statistics.noise"), measure(statistics.noise_floor_dbov, "dBov")],
        [t("statistics.echo"), percent(statistics.echo_suspicion)],
      ]}
    </Facts>
  );
}
