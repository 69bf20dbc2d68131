// A generator that gives the same numbers for the same seed (mulberry32), so that a run's choices can be made again.
export function makeRandom(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
  const below = (count) => Math.floor(next() * count);
  const pick = (list) => list[below(list.length)];
  return {
    next,
    below,
    pick,
    chance: (share) => next() < share,
    // One of [[weight, value], …], as often as its weight says.
    weigh(rows) {
      let left = next() * rows.reduce((sum, [weight]) => sum + weight, 0);
      return rows.find(([weight]) => (left -= weight) < 0)[1];
    },
    // A UUID of version 4.
    uuid() {
      const digits = Array.from({ length: 32 }, () => below(16).toString(16));
      digits[12] = "4";
      digits[16] = pick(["8", "9", "a", "b"]);
      const text = digits.join("");
      return [text.slice(0, 8), text.slice(8, 12), text.slice(12, 16), text.slice(16, 20), text.slice(20)].join("-");
    },
  };
}
