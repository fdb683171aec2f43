/** Names and rooms of one way through the pages. */
export const scenes = {
  mouse: {
    operator: ["Eve Example", "eve@example.com"],
    leader: ["Ina Example", "ina@example.com"],
    board: "Board",
    booked: "Team",
    series: "Jour",
    soon: "Annual",
    guest: "Ann <b>Lee</b>",
    renamed: "Clara Weiß",
    weekly: { number: "1001", name: "Weekly", pin: "482913", leader: "70215548" },
    lobby: { number: "1002", name: "Lobby", pin: "482914", leader: "70215549" },
  },
  keyboard: {
    operator: ["Ada Example", "ada@example.com"],
    leader: ["Udo Example", "udo@example.com"],
    board: "Council",
    booked: "Staff",
    series: "Monday",
    soon: "Review",
    guest: "Ben Stone",
    renamed: "Carl Stein",
    weekly: { number: "1003", name: "Monthly", pin: "592913", leader: "80215548" },
    lobby: { number: "1004", name: "Foyer", pin: "592914", leader: "80215549" },
  },
};
