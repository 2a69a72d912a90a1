import { waitFor } from "@testing-library/svelte";
import { describe, expect, it } from "vitest";
import { FakeProgram } from "../../../dev/fake";
import { sampleBlocks, sampleRates } from "../../../dev/securityData";
import { byTestId, field, openWindow, shown, text, violations, type OpenWindow } from "../../../dev/window";
import { securityTabs, type SecurityTab } from "../../lib/paths";
import { navigation } from "../../state/navigation.svelte";

const connections = "security.connection_policy.max_connections";
const messages = "security.connection_policy.max_messages_per_minute";
const zones = "security.checks.dnsbl_zones";

async function openTab(tab: SecurityTab, shape?: (program: FakeProgram) => void): Promise<OpenWindow> {
  const program = new FakeProgram();
  program.security.rates = sampleRates();
  program.security.blocks = sampleBlocks();
  shape?.(program);
  const opened = await openWindow(program);
  await opened.user.click(byTestId("nav-security"));
  await opened.user.click(byTestId(`security-tab-${tab}`));
  await waitFor(() => expect(shown(`security-${tab}`)).toBe(true));
  return opened;
}

describe("the Security pane", () => {
  it("has no axe violation in any tab", async () => {
    const { user } = await openTab("lists");
    for (const tab of securityTabs) {
      await user.click(byTestId(`security-tab-${tab}`));
      await waitFor(() => expect(shown(`security-${tab}`)).toBe(true));
      expect(await violations(), tab).toEqual([]);
    }
  });

  it("goes from tab to tab with the arrow keys, and comes back to the one it left", async () => {
    const { user } = await openTab("lists");
    byTestId("security-tab-lists").focus();
    await user.keyboard("{ArrowRight}");
    expect(document.activeElement).toBe(byTestId("security-tab-sender_policy"));
    expect(byTestId("security-tab-sender_policy").getAttribute("aria-selected")).toBe("true");
    await user.keyboard("{End}");
    expect(shown("security-checks")).toBe(true);
    await user.keyboard("{ArrowRight}");
    expect(shown("security-lists")).toBe(true);
    await user.keyboard("{ArrowLeft}");
    await user.click(byTestId("nav-general"));
    await user.click(byTestId("nav-security"));
    expect(shown("security-checks")).toBe(true);
  });

  it("opens at a setting on its tab", async () => {
    await openWindow();
    for (const [path, tab] of [
      ["security.advanced.max_junk_commands", "advanced"],
      ["security.connection_policy.max_connections", "connection_policy"],
      ["service.exempt_hosts", "connection_policy"],
      ["service.clamd", "checks"],
      ["security.checks.spf", "checks"],
      ["security.sender_policy.reject_non_fqdn", "sender_policy"],
      ["security.lists", "lists"],
    ] as const) {
      await navigation.openSetting(path);
      expect(shown(`security-${tab}`), path).toBe(true);
      if (tab !== "lists") {
        expect(document.getElementById(path)?.contains(document.activeElement), path).toBe(true);
      }
    }
  });

  it("marks the tabs that hold changes and refused values, and applies them as one", async () => {
    const { program, user } = await openTab("sender_policy");
    await user.click(field("security.sender_policy.reject_non_fqdn"));
    await user.click(byTestId("security-tab-advanced"));
    await user.clear(field("security.advanced.max_junk_commands"));
    await user.type(field("security.advanced.max_junk_commands"), "2000");
    await waitFor(() =>
      expect(byTestId("security-tab-advanced").textContent).toContain("A value here is refused"),
    );
    expect(byTestId("security-tab-sender_policy").textContent).toContain("Changes not applied yet");
    expect(byTestId("draft-summary").textContent).toContain("2 changes in Security");
    await user.clear(field("security.advanced.max_junk_commands"));
    await user.type(field("security.advanced.max_junk_commands"), "200");
    await user.click(byTestId("apply"));
    await waitFor(() => expect(shown("draft-bar")).toBe(false));
    expect(program.called("settings_apply")[0]?.document).toEqual({
      security: { sender_policy: { reject_non_fqdn: false }, advanced: { max_junk_commands: 200 } },
    });
    expect(program.settings.security.advanced.reject_non_fqdn_helo).toBe(true);
  });
});

describe("the sender policy", () => {
  it("asks for which recipients only while unknown domains are refused", async () => {
    const { user } = await openTab("sender_policy");
    const scope = "security.sender_policy.unknown_domain_scope";
    await user.selectOptions(byTestId(scope), "unknown_recipients_only");
    expect(text()).toContain("changes next to nothing");
    await user.click(field("security.sender_policy.reject_unknown_domain"));
    expect(shown(scope)).toBe(false);
  });
});

describe("the connection policy", () => {
  it("switches limits on and off", async () => {
    const { program, user } = await openTab("connection_policy");
    expect(field(connections).value).toBe("50");
    await user.click(field(`${connections}.on`));
    await user.click(field(`${messages}.on`));
    expect(field(messages).value).toBe("60");
    await user.click(byTestId("apply"));
    await waitFor(() => expect(shown("draft-bar")).toBe(false));
    expect(program.settings.security.connection_policy).toMatchObject({
      max_connections: null,
      max_messages_per_minute: 60,
    });
  });

  it("warns of the strict test of names", async () => {
    const { user } = await openTab("connection_policy");
    await user.click(field("security.connection_policy.reject_unknown_client_hostname"));
    await user.selectOptions(byTestId("security.connection_policy.client_hostname"), "forward_confirmed");
    expect(text()).toContain("Many honest servers fail this");
  });

  it("counts clients live and unblocks one", async () => {
    const { program, user } = await openTab("connection_policy");
    await waitFor(() => expect(shown("live-table")).toBe(true));
    const row = () => document.querySelector('tr[data-client="203.0.113.99"]')?.textContent ?? "";
    expect(row()).toContain("limit reached");
    expect(text()).toContain("1 more client is not shown");
    await user.click(byTestId("unblock-203.0.113.99"));
    await waitFor(() => expect(row()).not.toContain("limit reached"));
    expect(program.called("rates_unblock")).toEqual([{ client: "203.0.113.99" }]);
  });

  it("says why nothing is counted", async () => {
    await openTab("connection_policy", (program) => {
      program.security.rates = { running: false, total: 0, clients: [] };
    });
    await waitFor(() => expect(text()).toContain("The server does not run"));
  });
});

describe("the advanced rules", () => {
  it("list who is blocked, why and for how long, and lift it", async () => {
    const { program, user } = await openTab("advanced");
    await waitFor(() => expect(shown("blocked-table")).toBe(true));
    expect(text()).toContain("20 unknown accounts tried");
    expect(text()).toContain("14 failed sign-ins");
    expect(text()).toContain("info2@bücher.example");
    await user.click(byTestId("lift-192.0.2.77"));
    await waitFor(() => expect(shown("lift-192.0.2.77")).toBe(false));
    expect(program.called("blocks_lift")).toEqual([{ client: "192.0.2.77", reason: "failed_logins" }]);
  });

  it("begin a white rule for a blocked address, where that helps", async () => {
    const { user } = await openTab("advanced");
    await waitFor(() => expect(shown("blocked-table")).toBe(true));
    expect(shown("allow-192.0.2.77")).toBe(false);
    await user.click(byTestId("allow-2001:db8:bad::/64"));
    await waitFor(() => expect(document.activeElement?.id).toBe("rule.name"));
    expect(field("rule.value").value).toBe("2001:db8:bad::17");
    expect((byTestId("rule.list") as HTMLSelectElement).value).toBe("white");
    expect((byTestId("rule.criterion") as HTMLSelectElement).value).toBe("ip");
    expect(field("rule.comment").value).toBe("was blocked: 20 unknown accounts tried");
  });
});

describe("the checks", () => {
  it("take lists in the DNS with the answers that count", async () => {
    const { program, user } = await openTab("checks");
    await user.click(byTestId(`${zones}.add`));
    await user.keyboard("nodots");
    await user.type(field(`${zones}.0.answers`), "127.0.0.2, 127.0.0.4-127.0.0.7");
    await waitFor(() => expect(field(`${zones}.0.zone`).getAttribute("aria-invalid")).toBe("true"));
    await user.clear(field(`${zones}.0.zone`));
    await user.type(field(`${zones}.0.zone`), "zen.example.org");
    await user.click(byTestId("apply"));
    await waitFor(() => expect(shown("draft-bar")).toBe(false));
    expect(program.settings.security.checks.dnsbl_zones).toEqual([
      { zone: "zen.example.org", answers: ["127.0.0.2", "127.0.0.4-127.0.0.7"] },
    ]);
    await user.click(byTestId(`${zones}.0.remove`));
    expect(document.activeElement?.id).toBe(`${zones}.add`);
    await user.click(byTestId("discard"));
    await waitFor(() => expect(field(`${zones}.0.zone`).value).toBe("zen.example.org"));
  });

  it("try out the lists as they stand in the draft", async () => {
    const { program, user } = await openTab("checks");
    expect((byTestId("trial-dnsbl.run") as HTMLButtonElement).disabled).toBe(true);
    await user.click(byTestId(`${zones}.add`));
    await user.keyboard("zen.example.org");
    await user.type(field("trial-dnsbl.ip"), "somewhere");
    await user.click(byTestId("trial-dnsbl.run"));
    await waitFor(() => expect(field("trial-dnsbl.ip").getAttribute("aria-invalid")).toBe("true"));
    await user.clear(field("trial-dnsbl.ip"));
    await user.type(field("trial-dnsbl.ip"), "192.0.2.77{Enter}");
    await waitFor(() =>
      expect(byTestId("trial-dnsbl.outcome").textContent).toContain("554 5.7.1 Service unavailable"),
    );
    expect(program.called("check_dnsbl").at(-1)).toEqual({
      ip: "192.0.2.77",
      zones: [{ zone: "zen.example.org", answers: [] }],
    });
    expect(program.called("settings_apply")).toEqual([]);
    await user.type(field(`${zones}.0.zone`), ".uk");
    expect(byTestId("trial-dnsbl.outcome").textContent).toContain("Changed since");
  });

  it("try out SPF for a client and a sender, and say what would come of it", async () => {
    const { user } = await openTab("checks");
    await user.type(field("trial-spf.ip"), "192.0.2.77");
    await user.type(field("trial-spf.sender"), "anna@example.com");
    await user.click(byTestId("trial-spf.run"));
    const effect = () => document.querySelector('[data-test="spf"]')?.getAttribute("data-effect");
    await waitFor(() => expect(effect()).toBe("recorded"));
    await user.selectOptions(byTestId("security.checks.spf"), "enforce");
    await user.click(byTestId("trial-spf.run"));
    await waitFor(() => expect(effect()).toBe("refuse"));
  });

  it("try out a message from a file, with the header field it would get", async () => {
    const { program, user } = await openTab("checks", (fake) => (fake.chosenFile = "/tmp/offer.eml"));
    await user.click(byTestId("trial-message.choose"));
    await waitFor(() => expect(field("trial-message.path").value).toBe("/tmp/offer.eml"));
    await user.click(byTestId("trial-message.run"));
    await waitFor(() => expect(shown("trial-message.outcome")).toBe(true));
    await waitFor(() =>
      expect(byTestId("trial-message.outcome").textContent).toContain("Authentication-Results:"),
    );
    const trial = program.called("check_message")[0]?.trial as { tests: string[]; path: string };
    expect(trial.tests).toEqual(["spf", "dkim", "dmarc", "arc"]);
    expect(trial.path).toBe("/tmp/offer.eml");
    expect(await violations()).toEqual([]);
  });

  it("want to know where clamd is before anything is scanned", async () => {
    const { program, user } = await openTab("checks");
    await user.selectOptions(byTestId("security.checks.antivirus"), "reject");
    expect(text()).toContain("Without an address of clamd nothing can be scanned");
    expect((byTestId("trial-antivirus.run") as HTMLButtonElement).disabled).toBe(true);
    await user.type(field("service.clamd"), "127.0.0.1:3310");
    await user.type(field("trial-antivirus.path"), "/tmp/eicar.txt");
    await user.click(byTestId("trial-antivirus.run"));
    await waitFor(() => expect(byTestId("trial-antivirus.outcome").textContent).toContain("Eicar"));
    const trial = program.called("check_message")[0]?.trial as { clamd: string };
    expect(trial.clamd).toBe("127.0.0.1:3310");
  });
});
