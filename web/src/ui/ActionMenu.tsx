import { ChevronDown } from "lucide-react";
import { type KeyboardEvent, type ReactNode, useEffect, useId, useRef, useState } from "react";
import { flushSync } from "react-dom";
import css from "./ActionMenu.module.css";
import { Button } from "./Button";

export interface Action {
  text: string;
  icon?: ReactNode;
  danger?: boolean;
  /** A line above it. */
  begins?: boolean;
  onSelect: () => void;
}

const GAP_PX = 4;
const EDGE_PX = 8;

/**
 * A button with a menu of actions. The browser's popover puts it above everything, closes it by Escape and by a click beside it, and
 * gives the focus back.
 */
export function ActionMenu({
  label,
  icon,
  text,
  actions,
}: {
  label: string;
  icon: ReactNode;
  text?: string;
  /** Asked for when the menu opens: a list may have hundreds of menus. */
  actions: () => Action[];
}) {
  const [isOpen, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const menu = useRef<HTMLDivElement>(null);
  const id = useId();

  // Within a list of rows arrows lead from row to row.
  const opensByArrow = (event: KeyboardEvent) =>
    (event.key === "ArrowDown" || event.key === "ArrowUp") &&
    (event.altKey || !event.currentTarget.closest("[data-roving]"));
  const items = () => Array.from(menu.current?.querySelectorAll<HTMLElement>("[role=menuitem]") ?? []);
  const close = () => menu.current?.hidePopover();
  const open = (last: boolean) => {
    // It has to be there before it is shown and one of its items gets the focus.
    flushSync(() => setOpen(true));
    const { current } = menu;
    if (!current || !button.current) return;
    current.showPopover();
    place(current, button.current.getBoundingClientRect());
    items()
      .at(last ? -1 : 0)
      ?.focus();
  };
  useEffect(() => {
    if (!isOpen) return;
    const follow = () => {
      if (menu.current && button.current) place(menu.current, button.current.getBoundingClientRect());
    };
    addEventListener("resize", follow);
    return () => removeEventListener("resize", follow);
  }, [isOpen]);
  const press = (event: KeyboardEvent) => {
    const all = items();
    const at = all.indexOf(document.activeElement as HTMLElement);
    const to = {
      ArrowDown: (at + 1) % all.length,
      ArrowUp: (at - 1 + all.length) % all.length,
      Home: 0,
      End: all.length - 1,
    }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      all[to]?.focus();
    } else if (event.key === "Tab") close();
    else if (/^\p{L}$/u.test(event.key)) {
      // The next one that begins with this letter.
      const wanted = event.key.toLowerCase();
      const next = [...all.slice(at + 1), ...all].find((item) =>
        item.textContent?.trim().toLowerCase().startsWith(wanted),
      );
      next?.focus();
    }
  };
  return (
    <>
      <Button
        ref={button}
        look={text ? "plain" : "quiet"}
        size={text ? "normal" : "small"}
        iconOnly={!text}
        icon={icon}
        aria-haspopup="menu"
        aria-expanded={isOpen}
        aria-controls={isOpen ? id : undefined}
        onClick={() => (isOpen ? close() : open(false))}
        onKeyDown={(event) => {
          if (!opensByArrow(event)) return;
          event.preventDefault();
          open(event.key === "ArrowUp");
        }}
      >
        {text ?? label}
        {text && <ChevronDown className={css.opens} aria-hidden="true" />}
      </Button>
      {isOpen && (
        <div
          ref={menu}
          id={id}
          popover="auto"
          role="menu"
          tabIndex={-1}
          aria-label={label}
          className={css.menu}
          onToggle={(event) => setOpen(event.newState === "open")}
          onKeyDown={press}
        >
          {actions().map((action) => (
            <button
              key={action.text}
              type="button"
              role="menuitem"
              tabIndex={-1}
              className={[css.item, action.danger && css.danger, action.begins && css.begins]
                .filter(Boolean)
                .join(" ")}
              onClick={() => {
                close();
                action.onSelect();
              }}
            >
              <span className={css.icon} aria-hidden="true">
                {action.icon}
              </span>
              {action.text}
            </button>
          ))}
        </div>
      )}
    </>
  );
}

/** Below the button, or above it where there is more room; within the window in any case. On small screens it is a sheet. */
function place(menu: HTMLElement, button: DOMRect): void {
  for (const property of ["top", "left", "max-height"]) menu.style.removeProperty(property);
  if (matchMedia("(max-width: 560px)").matches) return;
  const { width, height } = menu.getBoundingClientRect();
  const below = innerHeight - button.bottom - GAP_PX - EDGE_PX;
  const above = button.top - GAP_PX - EDGE_PX;
  const isBelow = height <= below || below >= above;
  menu.style.maxHeight = `${Math.max(120, isBelow ? below : above)}px`;
  const shown = Math.min(height, isBelow ? below : above);
  menu.style.top = `${isBelow ? button.bottom + GAP_PX : button.top - GAP_PX - shown}px`;
  const left = button.left + width > innerWidth - EDGE_PX ? button.right - width : button.left;
  menu.style.left = `${Math.max(EDGE_PX, Math.min(left, innerWidth - width - EDGE_PX))}px`;
}
