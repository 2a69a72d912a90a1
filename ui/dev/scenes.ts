/** The program in several states, chosen by `?scene=` in the address. */
import { busyNumbers, manyUsers, sampleEntries } from "./data";
import type { Problem } from "../src/lib/types";
import { FakeProgram } from "./fake";
import { sampleImport } from "./fakeSecurity";
import { newRule } from "../src/lib/lists";
import { manyWaiting, paused, waiting } from "./queueData";
import { manyRules, sampleBlocks, sampleHits, sampleRates, sampleRules } from "./securityData";

export function scene(query: URLSearchParams): FakeProgram {
  const program = new FakeProgram();
  program.numbers = busyNumbers();
  program.entries = sampleEntries();
  program.dns = [
    { name: "mx", state: "ok", text: "office.example is served by mail.office.example" },
    {
      name: "address",
      state: "warning",
      text: "mail.office.example has the address 203.0.113.7, which this machine does not have. Behind a router that is as it should be.",
    },
    { name: "spf", state: "unknown", text: "no SPF record was found for office.example" },
  ];
  program.ports = [
    {
      service: "smtp",
      port: 25,
      state: "not_allowed",
      text: "The system keeps ports below 1024 for administrators. Run: sudo sysctl net.ipv4.ip_unprivileged_port_start=25",
      fallback: 2525,
    },
    {
      service: "submission",
      port: 587,
      state: "taken",
      text: "Another program has this port: master (pid 812).",
      fallback: 2587,
    },
    { service: "submissions", port: 465, state: "free", text: "Nothing uses this port.", fallback: null },
  ];
  program.test = {
    ok: true,
    text: "Through the server and into the mailbox in 84 ms.",
    token: "3VTB7A",
    transcript: [
      "S: 220 mail.office.example ESMTP Postroom",
      "C: EHLO mail.office.example",
      "S: 250-mail.office.example",
      "C: MAIL FROM:<alice@office.example>",
      "S: 250 2.1.0 Ok",
      "C: RCPT TO:<alice@office.example>",
      "S: 250 2.1.5 Ok",
      "C: DATA",
      "S: 354 End data with <CR><LF>.<CR><LF>",
      "C: .",
      "S: 250 2.0.0 Ok: queued as 3VTB7A",
    ],
  };
  program.queue.rows = waiting();
  program.queue.paused = paused();
  program.settings.security.lists = sampleRules();
  program.security.hits = sampleHits();
  program.security.rates = sampleRates();
  program.security.blocks = sampleBlocks();
  program.security.importLines = sampleImport(newRule);
  program.chosenFile = "/etc/postfix/sender_access";
  shape(program, query.get("scene"));
  return program;
}

/** The disk is full: the server runs, and takes no mail. */
export function storageFails(program: FakeProgram): void {
  hasProblem(program, "storage_failing", "new mail is put off with 452 because it cannot be stored", {
    cause: "full",
    place: "/srv/postroom/spool",
    detail: "database or disk is full",
    behind: "true",
  });
}

function spoolSetAside(program: FakeProgram): void {
  const message =
    "the spool held mail that this database knows nothing of, so it is not delivered; it lies in /srv/postroom/spool-1 now";
  hasProblem(program, "spool_set_aside", message, {});
}

function hasProblem(program: FakeProgram, code: string, message: string, args: Problem["args"]): void {
  program.status.problem = { path: "", code, message, args };
  program.numbers.notices = [
    { code, severity: "error", message, action: null, pane: "general" },
    ...program.numbers.notices,
  ];
}

function shape(program: FakeProgram, name: string | null): void {
  if (name === "first-run") {
    program.status.first_run = true;
    program.status.state = "stopped";
    program.status.listeners = [];
    program.settings.general.domain = "";
    program.settings.general.hostname = "";
    program.settings.general.additional_domains = [];
    program.settings.users = [];
    program.settings.groups = [];
  } else if (name === "failed") {
    program.status.state = "failed";
    program.status.listeners = [];
    program.status.problem = {
      path: "service.smtp",
      code: "port_taken",
      message: "port 25 is taken by another program; stop it or choose another port",
      args: {},
    };
  } else if (name === "storage") {
    storageFails(program);
  } else if (name === "spool") {
    spoolSetAside(program);
  } else if (name === "many") {
    program.settings.users = manyUsers(100_000);
    program.queue.rows = manyWaiting(100_000);
    program.settings.security.lists = manyRules(100_000);
  } else if (name === "relay" || name === "relay-fails") {
    Object.assign(program.settings.delivery, {
      relay_enabled: true,
      relay_server: "smtp.provider.example",
      relay_auth: true,
      relay_username: "office@provider.example",
    });
    program.relay.password = { is_set: true, place: "keychain" };
    program.relay.paceMs = 350;
    program.relay.fails = name === "relay-fails";
  } else if (name === "quiet") {
    program.entries = [];
    program.queue.rows = [];
    program.queue.paused = [];
    program.settings.security.lists = [];
    program.security.rates.clients = [];
    program.security.blocks = [];
    program.numbers = {
      ...program.numbers,
      hours: program.numbers.hours.map((hour) => ({ ...hour, accepted: 0, refused: 0 })),
      accepted_today: 0,
      refused_today: 0,
      top_refusals: [],
      notices: [],
    };
  }
}
