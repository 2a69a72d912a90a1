/** Made-up mail that waits: long reasons, other scripts, and one dead host with a lot behind it. */
import type { PausedDestination, QueueAttempt, QueueRow } from "../src/lib/types";

const minute = 60_000;

type Sample = Pick<QueueRow, "sender" | "recipient" | "destination" | "subject" | "reason"> &
  Partial<QueueRow>;

const samples: Sample[] = [
  {
    sender: "alice@office.example",
    recipient: "einkauf@xn--mller-brombach-gsb.example",
    destination: "domain:xn--mller-brombach-gsb.example",
    subject: "Angebot für die Bürostühle – Rückfrage zu Größe und Lieferzeit",
    reason:
      "mx1.müller-brombach.example (192.0.2.44) asked to come back later: 451 4.7.1 Greylisting in action, please come back later",
    attempts: 1,
  },
  {
    sender: "bob@office.example",
    recipient: "orders@far-away.example",
    destination: "domain:far-away.example",
    subject: "Order 2291",
    reason: "none of the 3 servers of far-away.example could be reached: the connection timed out after 30 s",
    attempts: 6,
  },
  {
    sender: "carla@office.example",
    recipient: "noor@mail.example",
    destination: "domain:mail.example",
    subject: "موعد الاجتماع يوم الثلاثاء",
    reason: "mail.example has no room for this mailbox at present: 452 4.2.2 mailbox full",
    attempts: 3,
  },
  {
    sender: "",
    recipient: "promo@deals.example",
    destination: "domain:deals.example",
    subject: "Mail could not be delivered",
    reason: "mx.deals.example closed the connection without a word after the sender was named",
    attempts: 9,
  },
  {
    sender: "alice@office.example",
    recipient: "team@partner.example",
    destination: "domain:partner.example",
    subject: "",
    reason:
      "encryption with mx.partner.example failed: the certificate has expired on 3 March; it was not sent unencrypted because this destination offered TLS before and the setting asks for an encrypted connection to the end, so that nothing is read on the way",
    attempts: 2,
    state: "held",
  },
  {
    sender: "scan@office.example",
    recipient: "archive-with-a-very-long-local-part-indeed@documents.records.archive.company.example",
    destination: "domain:documents.records.archive.company.example",
    subject: "Scan 0031",
    reason: "",
    attempts: 0,
    state: "sending",
    size: 8_123_400,
  },
];

function row(sample: Sample, index: number, now: number): QueueRow {
  const accepted = now - (4 + index * 37) * minute;
  return {
    id: 9000 - index,
    message: 4000 - index,
    token: `Q${String(index).padStart(5, "0")}`,
    size: 2_400 + ((index * 7919) % 90_000),
    accepted_at_ms: accepted,
    state: "waiting",
    attempts: 1,
    next_at_ms: now + ((index * 13) % 170) * minute - 20_000,
    expires_at_ms: accepted + 5 * 24 * 60 * minute,
    ...sample,
  };
}

export function waiting(now: number = Date.now()): QueueRow[] {
  const dead: Sample[] = Array.from({ length: 24 }, (_, index) => ({
    sender: `${["alice", "bob", "carla"][index % 3]}@office.example`,
    recipient: `person${index + 1}@far-away.example`,
    destination: "domain:far-away.example",
    subject: `Invoice ${2300 + index}`,
    reason: "none of the 3 servers of far-away.example could be reached: the connection timed out after 30 s",
    attempts: 5,
  }));
  return [...samples, ...dead].map((sample, index) => row(sample, index, now));
}

export function manyWaiting(count: number, now: number = Date.now()): QueueRow[] {
  return Array.from({ length: count }, (_, index) => ({
    ...row(samples[index % samples.length] as Sample, index % 2000, now),
    id: count - index,
    recipient: `person${index + 1}@far-away.example`,
  }));
}

export function paused(now: number = Date.now()): PausedDestination[] {
  return [
    {
      destination: "domain:far-away.example",
      waiting: 25,
      until_ms: now + 8 * minute,
      reason:
        "none of the 3 servers of far-away.example could be reached: the connection timed out after 30 s",
    },
    {
      destination: "domain:xn--mller-brombach-gsb.example",
      waiting: 1,
      until_ms: now + 3 * minute,
      reason: "451 4.7.1 Greylisting in action, please come back later",
    },
  ];
}

export function attemptsOf(row: QueueRow): QueueAttempt[] {
  return Array.from({ length: row.attempts }, (_, index) => ({
    at_ms: row.accepted_at_ms + index * 11 * minute,
    recipient: row.recipient,
    hop: index % 2 === 0 ? "mx1.far-away.example [192.0.2.44]:25, TLS 1.3, certificate verified" : "",
    outcome: "deferred" as const,
    reply: index % 2 === 0 ? "451 4.7.1 Greylisting in action, please come back later" : row.reason,
  }));
}

export function headersOf(row: QueueRow): string {
  return [
    "Received: from [192.168.1.34] by mail.office.example with ESMTPSA",
    `From: <${row.sender}>`,
    `To: <${row.recipient}>`,
    `Subject: ${row.subject}`,
    `Message-ID: <${row.token.toLowerCase()}@office.example>`,
    "Content-Type: text/plain; charset=utf-8",
  ].join("\n");
}
