import { useEffect, useRef, useSyncExternalStore } from "react";
import uPlot from "uplot";
import { clockTime, shortDate } from "../texts/format";
import "uplot/dist/uPlot.min.css";
import css from "./Chart.module.css";

export interface Line {
  name: string;
  values: (number | null)[];
  /** A line, unless: an area below it; bars, which are darker. */
  look?: "area" | "bars";
}

interface ChartProps {
  /** Says what is shown; a table beside it shows the same. */
  label: string;
  /** Seconds since 1970. */
  times: number[];
  lines: [Line, Line?, Line?];
  format: (value: number) => string;
  /** Over days: dates instead of times of day. */
  days?: boolean;
  /** The value axis goes at least so far. */
  least: number;
  /** Where the value axis begins. */
  from?: number;
}

const DAY_S = 86_400;

const token = (element: Element, name: string) => getComputedStyle(element).getPropertyValue(name).trim();

const darkTheme = matchMedia("(prefers-color-scheme: dark)");

function watchTheme(changed: () => void): () => void {
  darkTheme.addEventListener("change", changed);
  return () => darkTheme.removeEventListener("change", changed);
}

/** Lines over time, in the colours of the theme. */
export function Chart({ label, times, lines, format, least, days, from = 0 }: ChartProps) {
  const frame = useRef<HTMLDivElement>(null);
  const isDark = useSyncExternalStore(watchTheme, () => darkTheme.matches);
  // biome-ignore lint/correctness/useExhaustiveDependencies: in another theme it is drawn again.
  useEffect(() => {
    const element = frame.current;
    if (!element) return;
    // Canvases do not know custom properties: their colours are resolved by an element.
    const probe = document.createElement("span");
    element.append(probe);
    const colour = (name: string) => {
      probe.style.color = token(element, name);
      return getComputedStyle(probe).color;
    };
    const shown = lines.filter((line) => line !== undefined);
    const [accent, warn] = [colour("--accent"), colour("--warn")];
    /** The second of two lines looks otherwise. */
    const isOther = (line: Line, index: number) => index === 1 && !line.look;
    const surface = colour("--surface");
    const fills = { area: colour("--accent-soft"), bars: accent };
    const axis = {
      stroke: colour("--text-quiet"),
      grid: { stroke: colour("--line"), width: 1 },
      ticks: { show: false },
    };
    const plot = new uPlot(
      {
        width: element.clientWidth,
        height: 200,
        padding: [null, 44, null, null],
        legend: { show: false },
        cursor: { drag: { x: false, y: false } },
        scales: { y: { range: (_, __, most) => [from, Math.max(least, from < 0 ? most : most * 1.1)] } },
        axes: [
          {
            ...axis,
            values: (_, seconds) =>
              seconds.map((at) => (days ? shortDate(at * 1_000) : clockTime(at * 1_000))),
            space: days ? 76 : 90,
            ...(days ? { incrs: [DAY_S, 2 * DAY_S, 3 * DAY_S, 7 * DAY_S] } : {}),
            size: 32,
          },
          { ...axis, size: 64, space: 24, values: (_, values) => values.map(format) },
        ],
        series: [
          {},
          ...shown.map((line, index) => ({
            label: line.name,
            stroke: isOther(line, index) ? warn : accent,
            width: line.look ? 1 : 2,
            ...(line.look ? { fill: fills[line.look] } : {}),
            ...(isOther(line, index) ? { dash: [6, 4] } : {}),
            spanGaps: true,
            points: { show: !line.look && !days && line.values.length < 60, fill: surface },
          })),
        ],
      },
      [times, ...shown.map((line) => line.values)] as uPlot.AlignedData,
      element,
    );
    probe.remove();
    const observer = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: 200 }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      plot.destroy();
    };
  }, [times, lines, format, least, days, from, isDark]);
  return (
    <figure className={css.figure}>
      <figcaption className={css.caption}>
        <strong>{label}</strong>
        {lines.length > 1 &&
          lines.map(
            (line, index) =>
              line && (
                <span
                  key={line.name}
                  className={line.look ? css[line.look] : index === 1 ? css.second : css.first}
                >
                  {line.name}
                </span>
              ),
          )}
      </figcaption>
      <div ref={frame} className={css.frame} role="img" aria-label={label} />
    </figure>
  );
}
