/**
 * The dialogs that are open, the last one on top. Whatever is beside it in the page can neither be pressed nor is it read out, so
 * messages are shown within it.
 */
let dialogs: readonly HTMLElement[] = [];
const listeners = new Set<() => void>();

function change(next: readonly HTMLElement[]): void {
  dialogs = next;
  for (const listener of listeners) listener();
}

/** `dialog` is on top until what this returns is called. */
export function enterTopLayer(dialog: HTMLElement): () => void {
  change([...dialogs, dialog]);
  return () => change(dialogs.filter((one) => one !== dialog));
}

export function onTopLayer(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** The dialog on top; null: none is open. */
export const topDialog = (): HTMLElement | null => dialogs.at(-1) ?? null;
