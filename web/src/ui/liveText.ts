/**
 * What a live region has to hold so that `text` is read out: browsers tell what changes, so the same words once more get a space at
 * their end that is neither seen nor heard.
 */
export const anew = (before: string, text: string): string => (text === before ? `${text}\u00a0` : text);
