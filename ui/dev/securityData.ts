/** Made-up rules, clients and blocks. Names and addresses are those reserved for examples. */
import type { BlockedClient, ListHits, ListRule, LiveRates, Settings } from "../src/lib/types";
import { newRule } from "../src/lib/lists";

const minute = 60_000;

export function freshSecurity(): Settings["security"] {
  return {
    lists: [],
    sender_policy: {
      reject_non_fqdn: true,
      reject_unknown_domain: true,
      unknown_domain_scope: "all_recipients",
    },
    connection_policy: {
      reject_unknown_client_hostname: false,
      client_hostname: "reverse",
      max_connections: 50,
      max_messages_per_minute: null,
      max_connections_per_minute: null,
    },
    advanced: {
      reject_unauthorized_pipelining: true,
      reject_non_fqdn_helo: true,
      reject_unknown_helo: false,
      max_nonexistent_accounts: 20,
      max_junk_commands: 100,
    },
    checks: {
      dnsbl_zones: [],
      spf: "record",
      dkim: "record",
      dmarc: "enforce",
      antivirus: "off",
      antivirus_unavailable: "defer",
    },
  };
}

/** Sorted by name, as the program keeps them. */
export function sampleRules(): ListRule[] {
  return [
    newRule({ name: "Bank", list: "white", criterion: "ip", value: "198.51.100.20" }),
    newRule({ name: "Bücher", list: "white", criterion: "sender", value: "@xn--bcher-kva.example" }),
    newRule({ name: "Head office", list: "white", criterion: "domain", value: "head.example" }),
    newRule({
      name: "Newsletter spam",
      value: "@deals.example",
      comment: "Asked to stop on 3 March, and did not",
    }),
    newRule({
      name: "Old supplier",
      criterion: "ip_mask",
      value: "192.163.1.1/255.100.10.1",
      action: "discard",
    }),
    newRule({ name: "Partner network", list: "white", criterion: "ip_mask", value: "198.51.100.0/24" }),
    newRule({ name: "Press", list: "white", criterion: "recipient", value: "press@office.example" }),
    newRule({ name: "Retired", criterion: "recipient", value: "old@office.example", enabled: false }),
  ];
}

export function sampleHits(now: number = Date.now()): ListHits[] {
  return [
    { name: "Newsletter spam", hits: 214, last_at_ms: now - 4 * minute },
    { name: "Old supplier", hits: 3, last_at_ms: now - 2900 * minute },
    { name: "Head office", hits: 96, last_at_ms: now - 11 * minute },
    { name: "Bank", hits: 11, last_at_ms: now - 190 * minute },
  ];
}

export function manyRules(count: number): ListRule[] {
  return Array.from({ length: count }, (_, index) =>
    newRule({
      name: `Rule ${String(index + 1).padStart(6, "0")}`,
      list: index % 5 === 0 ? "white" : "black",
      criterion: index % 3 === 0 ? "ip" : "sender",
      value:
        index % 3 === 0
          ? `10.${(index >> 16) & 255}.${(index >> 8) & 255}.${index & 255}`
          : `spam${index}@bulk.example`,
    }),
  );
}

export function sampleRates(now: number = Date.now()): LiveRates {
  return {
    running: true,
    total: 4,
    clients: [
      {
        client: "203.0.113.99",
        connections: 50,
        connections_in_minute: 73,
        messages_in_minute: 4,
        minute_ends_ms: now + 22_000,
        limited: ["connections"],
      },
      {
        client: "198.51.100.20",
        connections: 2,
        connections_in_minute: 3,
        messages_in_minute: 11,
        minute_ends_ms: now + 41_000,
        limited: [],
      },
      {
        client: "2001:db8:4:1f::/64",
        connections: 1,
        connections_in_minute: 1,
        messages_in_minute: 1,
        minute_ends_ms: now + 8_000,
        limited: [],
      },
    ],
  };
}

export function sampleBlocks(now: number = Date.now()): BlockedClient[] {
  return [
    {
      client: "203.0.113.77",
      ip: "203.0.113.77",
      reason: "nonexistent_accounts",
      count: 20,
      since_ms: now - 35 * minute,
      until_ms: now + 420 * minute,
      last: "aaron@office.example",
    },
    {
      client: "2001:db8:bad::/64",
      ip: "2001:db8:bad::17",
      reason: "nonexistent_accounts",
      count: 20,
      since_ms: now - 95 * minute,
      until_ms: now + 420 * minute,
      last: "info2@xn--bcher-kva.example",
    },
    {
      client: "192.0.2.77",
      ip: "192.0.2.77",
      reason: "failed_logins",
      count: 14,
      since_ms: now - 9 * minute,
      until_ms: now + 21 * minute,
      last: "admin",
    },
  ];
}
