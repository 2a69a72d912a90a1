import { waitFor } from "@testing-library/svelte";
import { describe, expect, it } from "vitest";
import { manyUsers } from "../../../dev/data";
import { FakeProgram } from "../../../dev/fake";
import { byTestId, field, openWindow, shown, text, violations, type OpenWindow } from "../../../dev/window";

async function openUsers(program?: FakeProgram): Promise<OpenWindow> {
  const opened = await openWindow(program);
  await opened.user.click(byTestId("nav-users"));
  return opened;
}

function row(name: string): HTMLElement {
  const found = document.querySelector<HTMLElement>(`tr[data-key="${name}"]`);
  if (found === null) throw new Error(`no row ${name}`);
  return found;
}

describe("the Users pane", () => {
  it("has no axe violation with the editor open", async () => {
    const opened = await openUsers();
    expect(await violations()).toEqual([]);
    await opened.user.click(row("carla"));
    expect(await violations()).toEqual([]);
  });

  it("creates a user with a password", async () => {
    const { program, user } = await openUsers();
    await user.click(byTestId("users.create"));
    expect(document.activeElement?.id).toBe("user.name");
    await user.keyboard("zoe");
    await user.type(field("user.display_name"), "Zoe Zweig");
    await user.type(field("user.password"), "correct horse");
    await user.click(byTestId("user-save"));
    await waitFor(() => expect(row("zoe").textContent).toContain("zoe@office.example"));
    expect(program.called("user_add")).toEqual([
      { user: { name: "zoe", display_name: "Zoe Zweig", enabled: true }, password: "correct horse" },
    ]);
    expect(shown("user-editor")).toBe(false);
  });

  it("shows refused values at their fields and keeps what was typed", async () => {
    const { user } = await openUsers();
    await user.click(byTestId("users.create"));
    await user.type(field("user.name"), "alice");
    await user.type(field("user.password"), "short");
    await user.click(byTestId("user-save"));
    await waitFor(() => expect(field("user.name").getAttribute("aria-invalid")).toBe("true"));
    expect(document.getElementById("user.name.problem")?.textContent).toContain("exists already");
    expect(document.getElementById("user.password.problem")?.textContent).toContain("at least 8");
    expect(field("user.name").value).toBe("alice");
  });

  it("changes, disables and gives a new password", async () => {
    const { program, user } = await openUsers();
    await user.click(row("bob"));
    await user.click(field("user.enabled"));
    await user.type(field("user.password"), "battery staple");
    await user.click(byTestId("user-save"));
    await waitFor(() => expect(row("bob").textContent).toContain("disabled"));
    expect(program.called("user_password")).toEqual([{ name: "bob", password: "battery staple" }]);
  });

  it("takes a deletion back", async () => {
    const { user } = await openUsers();
    row("bob").focus();
    await user.keyboard("{Delete}");
    await waitFor(() => expect(document.querySelector('tr[data-key="bob"]')).toBeNull());
    await user.click(byTestId("toast-action"));
    await waitFor(() => expect(row("bob")).toBeTruthy());
    expect(text()).toContain("bob is back");
  });

  it("is walked through with the keyboard", async () => {
    const { user } = await openUsers();
    row("alice").focus();
    await user.keyboard("{ArrowDown}");
    expect(row("bob").getAttribute("aria-selected")).toBe("true");
    await waitFor(() => expect(document.activeElement).toBe(row("bob")));
    await user.keyboard("{End}{Enter}");
    await waitFor(() => expect(document.activeElement?.id).toBe("user.display_name"));
    expect(field("user.name").value).toBe("scanner");
  });

  it("does not let a half-changed user go unnoticed", async () => {
    const { user } = await openUsers();
    await user.click(row("bob"));
    await user.type(field("user.display_name"), "X");
    await user.click(row("alice"));
    expect(field("user.name").value).toBe("bob");
    expect(text()).toContain("Save or cancel this one first.");
    await user.click(byTestId("nav-general"));
    await user.click(byTestId("nav-users"));
    expect(field("user.display_name").value).toBe("Bob BrandtX");
  });

  it("finds by name and full name", async () => {
    const { user } = await openUsers();
    await user.keyboard("{Control>}f{/Control}");
    expect(document.activeElement?.id).toBe("users.search");
    await user.keyboard("conti");
    expect(document.querySelectorAll("tbody tr.entry")).toHaveLength(1);
    expect(text()).toContain("1 of 5");
  });

  it("holds a hundred thousand users with few rows", async () => {
    const program = new FakeProgram();
    program.settings.users = manyUsers(100_000);
    await openUsers(program);
    expect(document.querySelectorAll("tbody tr.entry").length).toBeLessThan(100);
    expect(byTestId("users-table").getAttribute("aria-rowcount")).toBe("100001");
    expect(text()).toContain("100,000 entries");
  });
});
