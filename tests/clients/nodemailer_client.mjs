// Sends one message with nodemailer.
//
// Arguments: the folder whose node_modules holds nodemailer, host, port, way (inbound, starttls, implicit), mechanism,
// login, password, sender, recipient, subject.
import { createRequire } from "node:module";
import { join } from "node:path";
import process from "node:process";

const [folder, host, port, way, mechanism, user, pass, from, to, subject] = process.argv.slice(2);
const nodemailer = createRequire(join(folder, "package.json"))("nodemailer");

const transport = nodemailer.createTransport({
  host,
  port: Number(port),
  secure: way === "implicit",
  requireTLS: way === "starttls",
  ignoreTLS: way === "inbound",
  tls: { rejectUnauthorized: false },
  connectionTimeout: 30_000,
  ...(way === "inbound" ? {} : { authMethod: mechanism, auth: { user, pass } }),
});

await transport.sendMail({
  from,
  to,
  subject,
  text: "Zoë sends a letter.",
  html: "<p>Zoë sends a letter.</p>",
  attachments: [{ filename: "ä.txt", content: "attached" }],
});
transport.close();
