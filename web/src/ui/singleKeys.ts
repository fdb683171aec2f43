import { useEffect, useRef, useSyncExternalStore } from "react";

const storedUnder = "plenary.single_keys";
const listeners = new Set<() => void>();

function read(): boolean {
  try {
    return localStorage.getItem(storedUnder) !== "0";
  } catch {
    return true;
  }
}

/** Whether single letters do something, which gets in the way of those who speak to their computer (WCAG 2.1.4). */
export function useSingleKeysOn(): [boolean, (on: boolean) => void] {
  const isOn = useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, read);
  const set = (on: boolean) => {
    try {
      localStorage.setItem(storedUnder, on ? "1" : "0");
    } catch {
      // Without storage the next visit has them again.
    }
    for (const listener of listeners) listener();
  };
  return [isOn, set];
}

/** Single letters, where they are turned on: not while something is typed, and not in a dialog. */
export function useSingleKeys(actions: Record<string, () => unknown>, isWanted = true): void {
  const [isOn] = useSingleKeysOn();
  const latest = useRef(actions);
  useEffect(() => {
    latest.current = actions;
  });
  useEffect(() => {
    if (!isOn || !isWanted) return;
    const press = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement | null;
      if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
      if (target?.closest("input:not([type=checkbox]), select, textarea, dialog, [popover]")) return;
      latest.current[event.key.toLowerCase()]?.();
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, [isOn, isWanted]);
}
