/** Short messages about what was done, and problems of what was tried, at the edge of the page. */
import { X } from "lucide-react";
import { useEffect, useSyncExternalStore } from "react";
import { createPortal } from "react-dom";
import { tc } from "../texts/common";
import { Button } from "./Button";
import css from "./notices.module.css";
import { ProblemBox } from "./Problem";
import { onTopLayer, topDialog } from "./topLayer";

interface Notice {
  id: number;
  text?: string;
  error?: unknown;
  retry?: (() => void) | undefined;
}

const SHOWN_MAX = 4;
const SHOWN_MS = 5_000;

let notices: Notice[] = [];
let last = 0;
const listeners = new Set<() => void>();

function change(next: Notice[]): void {
  notices = next;
  for (const listener of listeners) listener();
}

const dismiss = (id: number) => change(notices.filter((notice) => notice.id !== id));

/** What is said again takes the place of what was said before. */
export function notify(text: string): void {
  last += 1;
  change([...notices.filter((one) => one.text !== text), { id: last, text }].slice(-SHOWN_MAX));
}

export function notifyProblem(error: unknown, retry?: () => void): void {
  last += 1;
  change([...notices, { id: last, error, retry }].slice(-SHOWN_MAX));
}

/** Does something, and shows the problem if there is one. */
export async function attempt(action: () => Promise<unknown>, done?: string): Promise<boolean> {
  try {
    await action();
    if (done) notify(done);
    return true;
  } catch (error) {
    notifyProblem(error, () => void attempt(action, done));
    return false;
  }
}

/** In a dialog where one is open: what is beside it cannot be pressed and is not read out. */
export function Notices() {
  const dialog = useSyncExternalStore(onTopLayer, topDialog);
  const shown = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => notices,
  );
  const list = (
    <div className={css.notices}>
      <div role="status" className={css.list}>
        {shown.map((notice) => notice.text !== undefined && <Told key={notice.id} notice={notice} />)}
      </div>
      {shown.map(
        (notice) =>
          notice.text === undefined && (
            <div key={notice.id} className={css.problem}>
              <ProblemBox
                error={notice.error}
                onRetry={
                  notice.retry &&
                  (() => {
                    dismiss(notice.id);
                    notice.retry?.();
                  })
                }
              />
              <span className={css.dismiss}>
                <Button look="quiet" size="small" iconOnly icon={<X />} onClick={() => dismiss(notice.id)}>
                  {tc("close")}
                </Button>
              </span>
            </div>
          ),
      )}
    </div>
  );
  return dialog ? createPortal(list, dialog) : list;
}

function Told({ notice }: { notice: Notice }) {
  useEffect(() => {
    const timer = setTimeout(() => dismiss(notice.id), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [notice.id]);
  return <p className={css.told}>{notice.text}</p>;
}
