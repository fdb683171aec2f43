import { useWindowVirtualizer, type Virtualizer } from "@tanstack/react-virtual";
import { memo, useCallback, useLayoutEffect, useRef, useState } from "react";
import { t } from "../../texts/pages";
import { useRoving } from "../../ui/useRoving";
import type { Participant } from "../conferences";
import type { OpenDialog } from "./dialogs";
import type { Hint } from "./hints";
import type { LevelStore } from "./levels";
import { ParticipantRow } from "./ParticipantRow";
import css from "./Room.module.css";

const ROW_PX = 57;
/** So many rows are drawn beyond the screen at each end: what a turn of the wheel or an arrow key comes to next is there. */
const AHEAD = 4;

interface ParticipantListProps {
  name: string;
  participants: Participant[];
  hints: Map<string, Hint[]>;
  levels: LevelStore;
  mayControl: boolean;
  mayMove: boolean;
  selected: ReadonlySet<string>;
  onSelect: (id: string, on: boolean) => void;
  onOpen: (dialog: OpenDialog) => void;
}

const estimateSize = () => ROW_PX;

/** What the browser says after its layout. A row that has just been drawn is not asked, for then the browser would lay out at once. */
function heightOf(
  element: HTMLDivElement,
  entry: ResizeObserverEntry | undefined,
  virtual: Virtualizer<Window, HTMLDivElement>,
): number {
  const height = entry?.borderBoxSize[0]?.blockSize;
  if (height !== undefined) return Math.round(height);
  return virtual.measurementsCache[virtual.indexFromElement(element)]?.size ?? ROW_PX;
}

/** Those who are in. Only the rows on the screen are drawn: there may be hundreds. */
export const ParticipantList = memo(function ParticipantList(props: ParticipantListProps) {
  const { participants, hints, selected } = props;
  const list = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  useLayoutEffect(() => {
    const { current } = list;
    if (!current) return;
    // Where the list begins changes when something above it appears: then the page changes its height.
    const measure = () => setTop(Math.round(current.getBoundingClientRect().top + window.scrollY));
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(document.body);
    return () => observer.disconnect();
  }, []);
  // The same function as long as the participants are: another one has all rows measured anew.
  const getItemKey = useCallback(
    (index: number) => participants[index]?.participant_id ?? index,
    [participants],
  );
  const virtual = useWindowVirtualizer<HTMLDivElement>({
    count: participants.length,
    estimateSize,
    overscan: AHEAD,
    scrollMargin: top,
    getItemKey,
    measureElement: heightOf,
    useFlushSync: false,
  });
  const roving = useRoving<HTMLDivElement>({
    rows: "[role=row]",
    virtual: { count: participants.length, reveal: (index) => virtual.scrollToIndex(index) },
  });
  const { ref: rove } = roving;
  const ref = useCallback(
    (element: HTMLDivElement | null) => {
      list.current = element;
      return rove(element);
    },
    [rove],
  );
  return (
    // biome-ignore lint/a11y/useSemanticElements: rows that are placed one by one are no table of the browser's.
    <div
      {...roving}
      ref={ref}
      role="grid"
      tabIndex={-1}
      aria-label={t("room.in")}
      aria-rowcount={participants.length}
      className={`${css.rows} ${css.virtual}`}
      style={{ height: virtual.getTotalSize() }}
    >
      {virtual.getVirtualItems().map((item) => {
        const one = participants[item.index];
        return (
          one && (
            // biome-ignore lint/a11y/useSemanticElements: as above.
            // biome-ignore lint/a11y/useFocusableInteractive: the controls within the row have the focus.
            <div
              key={item.key}
              ref={virtual.measureElement}
              role="row"
              data-index={item.index}
              aria-rowindex={item.index + 1}
              className={css.virtualRow}
              style={{ transform: `translateY(${item.start - top}px)` }}
            >
              <ParticipantRow
                name={props.name}
                participant={one}
                hints={hints.get(one.participant_id)}
                levels={props.levels}
                mayControl={props.mayControl}
                mayMove={props.mayMove}
                isSelected={selected.has(one.participant_id)}
                onSelect={props.onSelect}
                onOpen={props.onOpen}
              />
            </div>
          )
        );
      })}
    </div>
  );
});
