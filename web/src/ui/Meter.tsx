import { useEffect, useRef } from "react";
import css from "./Meter.module.css";

/** How loud it is, from 0 to 1, read at every frame without drawing the page again. */
export function Meter({ read, label, slim }: { read: () => number; label: string; slim?: boolean }) {
  const bar = useRef<HTMLDivElement>(null);
  const meter = useRef<HTMLDivElement>(null);
  useEffect(() => {
    let frame = 0;
    let shown = 0;
    let said = 0;
    const draw = (time: number) => {
      const share = read();
      // Rises at once, falls slowly: as meters do.
      shown = Math.max(share, shown - 0.03);
      if (bar.current) bar.current.style.clipPath = `inset(0 ${((1 - shown) * 100).toFixed(1)}% 0 0)`;
      if (time - said > 250) {
        said = time;
        meter.current?.setAttribute("aria-valuenow", String(Math.round(shown * 100)));
      }
      frame = requestAnimationFrame(draw);
    };
    frame = requestAnimationFrame(draw);
    return () => cancelAnimationFrame(frame);
  }, [read]);
  return (
    // biome-ignore lint/a11y/useSemanticElements: the element draws itself, and differently in each browser.
    <div
      ref={meter}
      className={slim ? `${css.meter} ${css.slim}` : css.meter}
      role="meter"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={0}
    >
      <div ref={bar} className={css.bar} data-level="" />
    </div>
  );
}
