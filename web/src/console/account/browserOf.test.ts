import { expect, test } from "vitest";
import { browserOf } from "./browserOf";

test("browsers are told apart, though each names the others", () => {
  const webkit = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)";
  const told = [
    `${webkit} Chrome/156.0.0.0 Safari/537.36`,
    `${webkit} Chrome/156.0.0.0 Safari/537.36 Edg/156.0.0.0`,
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:150.0) Gecko/20100101 Firefox/150.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1",
    "something/1",
    null,
  ].map(browserOf);
  expect(told).toEqual([
    "Chrome 156, Linux",
    "Edge 156, Linux",
    "Firefox 150, Windows",
    "Safari 18, iOS",
    "something/1",
    "–",
  ]);
});
