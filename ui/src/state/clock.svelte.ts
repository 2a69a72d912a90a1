/** The present for what is told relative to it; moves on while somebody looks. */
const everyMs = 5000;

class Clock {
  now = $state(Date.now());

  watch(): () => void {
    this.now = Date.now();
    const timer = setInterval(() => (this.now = Date.now()), everyMs);
    return () => clearInterval(timer);
  }
}

export const clock = new Clock();
