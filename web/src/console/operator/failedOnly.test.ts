import { expect, test, vi } from "vitest";
import { failedOnly } from "./failedOnly";

const call = (id: number, failed: boolean) => ({ id, failed });
const pages: Record<string, { items: { id: number; failed: boolean }[]; next: string | null }> = {
  first: { items: [call(1, false), call(2, false)], next: "second" },
  second: { items: [call(3, false), call(4, true), call(5, true)], next: "third" },
  third: { items: [call(6, false)], next: null },
};
const read = (cursor = "first") => pages[cursor] ?? { items: [], next: null };

test("calls that failed are found behind those that go on", async () => {
  const asked = vi.fn(async ({ cursor }: { cursor?: string }) => read(cursor));
  expect(await failedOnly({ limit: 100 }, asked)).toEqual({
    items: [call(4, true), call(5, true)],
    next: "third",
  });
  expect(asked).toHaveBeenCalledTimes(2);
  expect(await failedOnly({ limit: 100, cursor: "third" }, asked)).toEqual({ items: [], next: null });
});
