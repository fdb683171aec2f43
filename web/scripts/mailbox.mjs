// A mail server that keeps what it is given, for the service of the tour.
import net from "node:net";

import { until } from "./service.mjs";

export class Mailbox {
  /** To whom, and the text as it was sent. */
  #mails = [];
  #server;

  static async open() {
    const mailbox = new Mailbox();
    mailbox.#server = net.createServer((socket) => mailbox.#serve(socket));
    await new Promise((done) => mailbox.#server.listen(0, "127.0.0.1", done));
    return mailbox;
  }

  get port() {
    return this.#server.address().port;
  }

  /** The next mail to this address behind the first `after` ones. */
  async next(to, after = 0) {
    const found = () => this.#mails.filter((one) => one.to === to)[after]?.text;
    return readMail(await until(`mail ${after + 1} to ${to}`, found));
  }

  close() {
    this.#server.close();
  }

  #serve(socket) {
    const say = (line) => socket.write(`${line}\r\n`);
    let [unread, to, isData] = ["", "", false];
    const command = (line) => {
      const verb = line.slice(0, 4).toUpperCase();
      if (verb === "EHLO") say("250 mailbox");
      else if (verb === "DATA") {
        isData = true;
        say("354 go on");
      } else if (verb === "QUIT") {
        say("221 bye");
        socket.end();
      } else {
        if (verb === "RCPT") to = /<([^>]*)>/.exec(line)?.[1] ?? "";
        say("250 ok");
      }
    };
    say("220 mailbox");
    socket.on("error", () => socket.destroy());
    socket.setEncoding("utf8");
    socket.on("data", (part) => {
      unread += part;
      for (;;) {
        const end = unread.indexOf(isData ? "\r\n.\r\n" : "\r\n");
        if (end < 0) return;
        const text = unread.slice(0, end);
        unread = unread.slice(end + (isData ? 5 : 2));
        if (!isData) command(text);
        else {
          this.#mails.push({ to, text });
          isData = false;
          say("250 kept");
        }
      }
    });
  }
}

/** All its parts as text, whichever way each is encoded, and the lines of its calendar put together again. */
function readMail(text) {
  const boundaries = [...text.matchAll(/boundary="?([^"\r\n;]+)"?/g)].map(([, boundary]) => `--${boundary}`);
  const parts = boundaries.reduce((all, boundary) => all.flatMap((part) => part.split(boundary)), [text]);
  const decoded = parts.map((part) => {
    const [head, ...body] = part.split("\r\n\r\n");
    const content = body.join("\r\n\r\n");
    if (/encoding: base64/i.test(head)) return Buffer.from(content, "base64").toString();
    if (!/encoding: quoted-printable/i.test(head)) return content;
    const bytes = content
      .replaceAll(/=\r?\n/g, "")
      .replaceAll(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
    return Buffer.from(bytes, "latin1").toString();
  });
  return [text, ...decoded].join("\n").replaceAll(/\r?\n[ \t]/g, "");
}
