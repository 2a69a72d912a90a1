/** The lists, the counters and the tests of the program in memory: as much of their rules as the window shows. */
import { skippedBy } from "../src/lib/lists";
import type {
  BlockedClient,
  CheckFinding,
  CheckTrial,
  DnsblZone,
  Failure,
  ListAnalysis,
  ListHits,
  ListImport,
  ListImportLine,
  ListImportPreview,
  ListRule,
  LiveRates,
  Problem,
  Settings,
} from "../src/lib/types";

type Office = { settings: Settings; status: { revision: number } };

export class FakeSecurity {
  hits: ListHits[] = [];
  rates: LiveRates = { running: true, total: 0, clients: [] };
  blocks: BlockedClient[] = [];
  importLines: ListImportLine[] = [];
  savePath: string | null = "rules.csv";
  readonly #office: Office;

  constructor(office: Office) {
    this.#office = office;
  }

  readonly answers = {
    choose_save: () => this.savePath,
    list_set: ({ name, rule }: { name: string | null; rule: ListRule }) => this.#set(name, rule),
    lists_remove: ({ names }: { names: string[] }) =>
      this.#take(this.#rules.filter((rule) => !names.includes(rule.name))),
    lists_restore: ({ rules }: { rules: ListRule[] }) => this.#take([...this.#rules, ...rules]),
    lists_analyse: ({ rule, name }: { rule: ListRule; name: string | null }) => this.#analyse(rule, name),
    lists_hits: () => structuredClone(this.hits),
    lists_import_preview: (args: { import: ListImport }) => this.#preview(args.import),
    lists_import: (args: { import: ListImport }) => this.#import(args.import),
    lists_export: () => ({ written: this.#rules.length, left_out: 0 }),
    rates_live: () => structuredClone(this.rates),
    rates_unblock: ({ client }: { client: string }) => {
      this.rates.clients = this.rates.clients.map((each) =>
        each.client === client
          ? { ...each, connections_in_minute: 0, messages_in_minute: 0, limited: [] }
          : each,
      );
    },
    blocks_list: () => structuredClone(this.blocks),
    blocks_lift: ({ client, reason }: { client: string; reason: string }) => {
      this.blocks = this.blocks.filter((each) => each.client !== client || each.reason !== reason);
    },
    check_dnsbl: ({ ip, zones }: { ip: string; zones: DnsblZone[] }) => zones.map((zone) => listed(ip, zone)),
    check_spf: ({ trial }: { trial: CheckTrial }) => [spf(trial)],
    check_message: ({ trial }: { trial: CheckTrial }) => message(trial),
  };

  get #rules(): ListRule[] {
    return this.#office.settings.security.lists;
  }

  #take(rules: ListRule[]): number {
    this.#office.settings.security.lists = rules.toSorted((a, b) => a.name.localeCompare(b.name));
    return ++this.#office.status.revision;
  }

  #set(name: string | null, rule: ListRule): number {
    const problems = problemsOf(rule);
    const taken = this.#rules.some((other) => other.name === rule.name && other.name !== name);
    if (rule.name === "") problems.push(problem("name", "empty", "a rule needs a name"));
    if (taken) {
      const message = `there is another rule "${rule.name}"`;
      problems.push(problem("name", "taken", message, { value: rule.name }));
    }
    if (problems.length > 0) {
      throw refusal(problems.map((each) => ({ ...each, path: `security.lists[0].${each.path}` })));
    }
    return this.#take([...this.#rules.filter((other) => other.name !== name), rule]);
  }

  #analyse(rule: ListRule, name: string | null): ListAnalysis {
    const white = rule.list === "white";
    const skipped = skippedBy(rule.criterion);
    const others = this.#rules.filter((other) => other.enabled && other.name !== name);
    const alike = others.filter(
      (other) => other.criterion === rule.criterion && other.value === rule.value && rule.value !== "",
    );
    const white_wins = white ? [] : alike.filter((other) => other.list === "white");
    const same = alike.filter((other) => other.list === rule.list && other.action === rule.action);
    const holes = rule.criterion === "ip_mask" && rule.value.endsWith("255.100.10.1");
    return {
      skips: {
        dnsbl: white && skipped.includes("dnsbl"),
        spf: white && skipped.includes("spf"),
        antivirus: white && skipped.includes("antivirus"),
        dkim: white && skipped.includes("dkim"),
        dmarc: white && skipped.includes("dmarc"),
        all_policies: white && rule.criterion === "ip",
      },
      pointless_because: [
        ...white_wins.map((other) => ({ rule: other.name, why: "white_wins" as const })),
        ...same.map((other) => ({ rule: other.name, why: "same" as const })),
      ],
      narrowed_by: [],
      notes: holes
        ? [
            {
              code: "mask_with_holes",
              message:
                "this mask is not contiguous: it matches 2^18 addresses, among them 192.0.0.1 and 192.155.245.255",
            },
          ]
        : [],
      problems: problemsOf(rule),
    };
  }

  #preview(wanted: ListImport): ListImportPreview {
    const lines = structuredClone(this.importLines);
    for (const line of lines) {
      if (wanted.existing === "replace" && line.verdict === "kept") {
        line.verdict = "changed";
        line.message = "";
      }
    }
    const count = (...verdicts: string[]) => lines.filter((line) => verdicts.includes(line.verdict)).length;
    return {
      format: wanted.format ?? "access",
      lines,
      added: count("added"),
      changed: count("changed"),
      kept: count("kept", "same"),
      refused: count("refused", "unsupported"),
      problem: null,
    };
  }

  #import(wanted: ListImport) {
    const { lines, added, changed, kept, refused } = this.#preview(wanted);
    const rules = lines.flatMap(({ rule, verdict }) =>
      rule !== null && (verdict === "added" || verdict === "changed") ? [rule] : [],
    );
    const names = new Set(rules.map((rule) => rule.name));
    this.#take([...this.#rules.filter((rule) => !names.has(rule.name)), ...rules]);
    return { added, changed, kept, refused };
  }
}

function problem(field: string, code: string, message: string, args: Problem["args"] = {}): Problem {
  return { path: field, code, message, args };
}

function refusal(problems: Problem[]): Failure {
  return { kind: "problems", message: problems[0]?.message ?? "", problems };
}

function problemsOf({ criterion, value }: ListRule): Problem[] {
  const args = { value };
  if (value === "") return [problem("value", "value_needed", "a value is needed")];
  if (criterion === "ip" && !/^[0-9a-f.:]+$/i.test(value)) {
    return [
      problem("value", "not_an_ip", `"${value}" is not an IP address; write for example 192.0.2.1`, args),
    ];
  }
  if ((criterion === "sender" || criterion === "recipient") && !value.includes("@")) {
    const message = `"${value}" has no @; write user@${value} for one address or @${value} for all of the domain`;
    return [problem("value", "no_at", message, args)];
  }
  return [];
}

function listed(ip: string, { zone }: DnsblZone): CheckFinding {
  if (!/^[0-9a-f.:]+$/i.test(ip)) {
    const message = `"${ip}" is not an IP address`;
    throw refusal([{ path: "ip", code: "not_an_ip", message, args: { value: ip } }]);
  }
  const hit = zone.startsWith("zen");
  return {
    test: "dnsbl",
    subject: zone,
    result: hit ? "listed" : "not_listed",
    text: hit
      ? "Listed as 127.0.0.2 and 127.0.0.4: https://www.spamhaus.example/query/ip/192.0.2.77"
      : "The list knows nothing of this address.",
    effect: hit ? "refuse" : "pass",
    reply: hit ? `554 5.7.1 Service unavailable; Client host [${ip}] blocked using ${zone}` : "",
    took_ms: 48,
  };
}

function spf({ ip, sender, checks }: CheckTrial): CheckFinding {
  return {
    test: "spf",
    subject: sender.slice(sender.indexOf("@") + 1),
    result: "fail",
    text: `The domain does not let ${ip} send for it.`,
    effect: checks.spf === "enforce" ? "refuse" : checks.spf === "record" ? "recorded" : "off",
    reply: checks.spf === "enforce" ? "550 5.7.23 SPF validation failed" : "",
    took_ms: 112,
  };
}

function message(trial: CheckTrial): { findings: CheckFinding[]; header: string } {
  const base = { subject: "example.com", reply: "", took_ms: 31 };
  if (trial.tests.includes("antivirus")) {
    const found: CheckFinding = {
      ...base,
      test: "antivirus",
      subject: "",
      result: "infected",
      text: "clamd found Eicar-Test-Signature.",
      effect: trial.checks.antivirus === "off" ? "off" : "refuse",
      reply: "550 5.7.1 message contains malware: Eicar-Test-Signature",
    };
    return { findings: [found], header: "" };
  }
  return {
    findings: [
      { ...spf(trial), subject: "example.com" },
      {
        ...base,
        test: "dkim",
        subject: "d=example.com s=2024",
        result: "pass",
        text: "The signature is right (ed25519-sha256).",
        effect: "pass",
      },
      {
        ...base,
        test: "dmarc",
        result: "pass",
        text: "DKIM speaks for the domain of the From line; its policy is reject.",
        effect: "pass",
      },
      {
        ...base,
        test: "arc",
        subject: "",
        result: "none",
        text: "The message has no ARC set.",
        effect: "recorded",
      },
    ],
    header:
      "Authentication-Results: mail.office.example;\n\tspf=fail smtp.mailfrom=example.com;\n\tdkim=pass header.d=example.com header.s=2024 header.a=ed25519-sha256;\n\tdmarc=pass header.from=example.com policy.dmarc=reject;\n\tarc=none",
  };
}

/** What of a file of rules would be taken. */
export function sampleImport(rule: (preset: Partial<ListRule>) => ListRule): ListImportLine[] {
  const line = (
    number: number,
    text: string,
    verdict: ListImportLine["verdict"],
    taken: ListRule | null,
    words = "",
  ): ListImportLine => ({ line: number, text, verdict, rule: taken, code: words && verdict, message: words });
  const named = (value: string, preset: Partial<ListRule> = {}) => rule({ name: value, value, ...preset });
  return [
    line(3, "promo@deals.example\tREJECT", "added", named("promo@deals.example")),
    line(4, "spam.example\tDISCARD", "added", named("@spam.example", { action: "discard" })),
    line(
      5,
      "head.example\tOK",
      "kept",
      named("Head office", { list: "white", criterion: "domain", value: "head.example" }),
      'there is a rule "Head office" already',
    ),
    line(7, "boss@\tREJECT", "unsupported", null, "a local part without a domain is not supported"),
    line(8, "x@@y\tREJECT", "refused", null, '"x@@y" is not a mail address: it has two @'),
    line(9, "list@other.example\tFILTER smtp:[10.0.0.1]", "unsupported", null, "FILTER has no equal here"),
  ];
}
