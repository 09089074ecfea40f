/** `npm run soak` sets TRAVELOPS_SOAK; without it the same is done in small, as part of all tests. */
export const FULL = process.env["TRAVELOPS_SOAK"] === "full";

export const SIZE = FULL
  ? { atOnce: 200, rounds: 4, perRound: 60, kills: 60 }
  : { atOnce: 20, rounds: 1, perRound: 10, kills: 3 };
