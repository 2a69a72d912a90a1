/** Whether the first-run assistant is in view, and how far it is. It is offered once in a run of the program. */
class SetupAssistant {
  open = $state(false);
  step = $state(0);
  /** Steps that were finished rather than skipped. */
  done = $state<boolean[]>([false, false, false, false]);
  #offered = false;

  offer(): void {
    if (this.#offered) return;
    this.#offered = true;
    this.open = true;
  }

  /** Opens it again where it was left. */
  resume(): void {
    this.open = true;
  }

  /** As at the start of the program. */
  restart(): void {
    this.open = false;
    this.step = 0;
    this.done = [false, false, false, false];
    this.#offered = false;
  }

  finish(step: number): void {
    this.done[step] = true;
    this.go(step + 1);
  }

  go(step: number): void {
    if (step >= this.done.length) this.open = false;
    else this.step = Math.max(0, step);
  }

  leave(): void {
    this.open = false;
  }
}

export const setup = new SetupAssistant();
