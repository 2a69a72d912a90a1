import { waitFor } from "@testing-library/svelte";
import { describe, expect, it } from "vitest";
import { byTestId, field, openWindow, shown, violations, type OpenWindow } from "../../../dev/window";

async function openGroups(): Promise<OpenWindow> {
  const opened = await openWindow();
  await opened.user.click(byTestId("nav-groups"));
  return opened;
}

describe("the Groups pane", () => {
  it("has no axe violation with suggestions open", async () => {
    const { user } = await openGroups();
    await user.click(byTestId("groups.create"));
    await user.click(field("group.member"));
    expect(await violations()).toEqual([]);
  });

  it("creates a group with members picked by keyboard", async () => {
    const { program, user } = await openGroups();
    await user.keyboard("{Control>}n{/Control}");
    await waitFor(() => expect(document.activeElement?.id).toBe("group.name"));
    await user.keyboard("office");
    await user.type(field("group.member"), "arden{Enter}");
    await user.type(field("group.member"), "{ArrowDown}{Enter}");
    await user.click(byTestId("group-save"));
    await waitFor(() => expect(shown("group-editor")).toBe(false));
    expect(program.called("group_set")).toEqual([
      { name: null, group: { name: "office", members: ["alice", "carla"] } },
    ]);
  });

  it("removes a member, and brings a deleted group back with all members", async () => {
    const { program, user } = await openGroups();
    await user.click(document.querySelector('tr[data-key="support"]') as HTMLElement);
    await user.click(byTestId("group-delete"));
    await waitFor(() => expect(program.settings.groups).toHaveLength(1));
    await user.keyboard("{Control>}z{/Control}");
    await waitFor(() => expect(program.settings.groups).toHaveLength(2));
    expect(program.settings.groups[1]?.members).toEqual(["bob", "carla", "dmitri"]);
  });
});
