import type { PageOf } from "../../api/client";

interface Asked {
  limit: number;
  cursor?: string;
}

const ITEMS_PER_PAGE = 500;

/**
 * A page of those that failed. The list has all whose messages are kept, also of calls that go on, hundreds of which may stand before
 * the first one that failed: a page without any is not shown.
 */
export async function failedOnly<T extends { failed: boolean }>(
  asked: Asked,
  read: (asked: Asked) => Promise<PageOf<T>>,
): Promise<PageOf<T>> {
  let next: Asked = { ...asked, limit: ITEMS_PER_PAGE };
  for (;;) {
    const page = await read(next);
    const items = page.items.filter((one) => one.failed);
    if (items.length > 0 || !page.next) return { ...page, items };
    next = { ...next, cursor: page.next };
  }
}
