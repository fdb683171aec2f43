import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { type ReactNode, useLayoutEffect, useRef, useState } from "react";
import css from "./Room.module.css";
import type { Participant } from "./state";

const ROW_PX = 57;

/** Those who are in. Only the rows on the screen are drawn: there may be hundreds. */
export function ParticipantList({
  participants,
  render,
}: {
  participants: Participant[];
  render: (one: Participant) => ReactNode;
}) {
  const list = useRef<HTMLUListElement>(null);
  const [top, setTop] = useState(0);
  useLayoutEffect(() => {
    const { current } = list;
    if (!current) return;
    // Where the list begins changes when something above it appears: then the page changes its height.
    const measure = () => setTop(current.getBoundingClientRect().top + window.scrollY);
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(document.body);
    return () => observer.disconnect();
  }, []);
  const virtual = useWindowVirtualizer({
    count: participants.length,
    estimateSize: () => ROW_PX,
    overscan: 6,
    scrollMargin: top,
    getItemKey: (index) => participants[index]?.participant_id ?? index,
  });
  return (
    <ul ref={list} className={`${css.rows} ${css.virtual}`} style={{ height: virtual.getTotalSize() }}>
      {virtual.getVirtualItems().map((item) => {
        const one = participants[item.index];
        return (
          one && (
            <li
              key={item.key}
              ref={virtual.measureElement}
              data-index={item.index}
              className={css.virtualRow}
              style={{ transform: `translateY(${item.start - top}px)` }}
              aria-setsize={participants.length}
              aria-posinset={item.index + 1}
            >
              {render(one)}
            </li>
          )
        );
      })}
    </ul>
  );
}
