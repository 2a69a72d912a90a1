/** Users and groups. Each act is one revision at once; what is deleted can be brought back. */
import { asFailure, commands, type CommandFailure } from "../lib/commands";
import { i18n } from "../i18n/i18n.svelte";
import { sameValue } from "../lib/paths";
import type { Group, Problem, User } from "../lib/types";
import { draft } from "./draft.svelte";
import { toasts } from "./toasts.svelte";

/** One entry being edited, kept while other panes are looked at. */
export class Editor<T extends object> {
  /** The name of the entry being edited; `null` while there is none or it is new. */
  original = $state<string | null>(null);
  open = $state(false);
  entry = $state<T | null>(null);
  password = $state("");
  problems = $state.raw<Problem[]>([]);
  message = $state<string | null>(null);
  /** Raised when somebody tries to leave a changed entry. */
  reminded = $state(false);
  #begun: T | null = null;

  get dirty(): boolean {
    return this.open && (this.password !== "" || !sameValue(this.entry, this.#begun));
  }

  begin(original: string | null, entry: T): void {
    this.original = original;
    this.entry = structuredClone(entry);
    this.#begun = structuredClone(entry);
    this.password = "";
    this.open = true;
    this.forgive();
  }

  close(): void {
    this.open = false;
    this.entry = null;
    this.original = null;
    this.password = "";
    this.#begun = null;
    this.forgive();
  }

  /** Whether another entry may be opened; if not, the editor says so. */
  mayLeave(): boolean {
    this.reminded = this.dirty;
    return !this.dirty;
  }

  refuse(failure: CommandFailure): void {
    this.problems = failure.problems;
    this.message = failure.problems.length === 0 ? failure.message : null;
  }

  forgive(): void {
    this.problems = [];
    this.message = null;
    this.reminded = false;
  }

  /** The words to show at one field of the entry; a path ends in the field's name. */
  problemsAt(field: string): Problem[] {
    return this.problems.filter((problem) => lastKey(problem.path) === field);
  }

  /** Problems that belong to none of these fields. */
  otherProblems(fields: string[]): Problem[] {
    return this.problems.filter((problem) => !fields.includes(lastKey(problem.path)));
  }
}

function lastKey(path: string): string {
  const bare = path.replace(/\[[^\]]*\]$/, "").replace(/\.\d+$/, "");
  return bare.slice(bare.lastIndexOf(".") + 1);
}

class Accounts {
  readonly userEditor = new Editor<User>();
  readonly groupEditor = new Editor<Group>();
  readonly users = $derived<User[]>(draft.saved?.users ?? []);
  readonly groups = $derived<Group[]>(draft.saved?.groups ?? []);
  readonly dirty = $derived<boolean>(this.userEditor.dirty || this.groupEditor.dirty);

  /** Creates or changes the user in the editor, with the password if one was typed. */
  async saveUser(): Promise<boolean> {
    const { original, password } = this.userEditor;
    const user = $state.snapshot(this.userEditor.entry);
    if (user === null) return false;
    user.name = user.name.trim();
    const done = await this.#edit(this.userEditor, async () => {
      if (original === null) return commands.user_add(user, password);
      // The password first: if it is refused, nothing else has changed yet.
      if (password !== "") await commands.user_password(original, password);
      await commands.user_set(original, user);
    });
    if (done) toasts.info(said(original, "users")(user.name));
    return done;
  }

  async removeUser(name: string): Promise<void> {
    await this.#remove(
      () => commands.user_remove(name),
      i18n.t.users.removed(name),
      () => commands.user_restore(name),
      () => i18n.t.users.restored(name),
    );
    if (this.userEditor.original === name) this.userEditor.close();
  }

  async saveGroup(): Promise<boolean> {
    const { original } = this.groupEditor;
    const group = $state.snapshot(this.groupEditor.entry);
    if (group === null) return false;
    group.name = group.name.trim();
    const done = await this.#edit(this.groupEditor, () => commands.group_set(original, group));
    if (done) toasts.info(said(original, "groups")(group.name));
    return done;
  }

  async removeGroup(group: Group): Promise<void> {
    const copy = $state.snapshot(group);
    await this.#remove(
      () => commands.group_remove(copy.name),
      i18n.t.groups.removed(copy.name),
      () => commands.group_set(null, copy),
      () => i18n.t.groups.restored(copy.name),
    );
    if (this.groupEditor.original === copy.name) this.groupEditor.close();
  }

  async #edit(editor: Editor<User> | Editor<Group>, act: () => Promise<void>): Promise<boolean> {
    editor.forgive();
    try {
      await act();
      editor.close();
      return true;
    } catch (thrown) {
      editor.refuse(asFailure(thrown));
      return false;
    } finally {
      await draft.load();
    }
  }

  async #remove(
    remove: () => Promise<void>,
    removed: string,
    restore: () => Promise<void>,
    restored: () => string,
  ): Promise<void> {
    const undo = async () => {
      try {
        await restore();
        toasts.info(restored());
      } catch (thrown) {
        toasts.error(asFailure(thrown).message);
      }
      await draft.load();
    };
    try {
      await remove();
      toasts.info(removed, { label: i18n.t.common.undo, run: () => void undo() });
    } catch (thrown) {
      toasts.error(asFailure(thrown).message);
    }
    await draft.load();
  }
}

function said(original: string | null, kind: "users" | "groups"): (name: string) => string {
  return original === null ? i18n.t[kind].created : i18n.t[kind].saved;
}

export const accounts = new Accounts();
