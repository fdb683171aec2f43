import { renderToStaticMarkup } from "react-dom/server";
import { expect, test, vi } from "vitest";
import { Button } from "./Button";

test("a button that is at work says so, can have the focus, and neither acts nor sends a form", () => {
  const onClick = vi.fn();
  const html = renderToStaticMarkup(
    <Button type="submit" isBusy>
      Save
    </Button>,
  );
  expect(html).toContain('aria-busy="true"');
  expect(html).toContain('aria-disabled="true"');
  expect(html).not.toMatch(/ disabled/);
  const preventDefault = vi.fn();
  const pressed = (isBusy: boolean) =>
    Button({ isBusy, onClick, children: "Save" }).props.onClick({ preventDefault });
  pressed(true);
  expect([preventDefault.mock.calls.length, onClick.mock.calls.length]).toEqual([1, 0]);
  pressed(false);
  expect([preventDefault.mock.calls.length, onClick.mock.calls.length]).toEqual([1, 1]);
});
