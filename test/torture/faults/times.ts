/** Above the sessions of a tortured system: the group has given the partitions of who is silent for so long away. */
export const BEYOND_SESSION_MS = 14_000;
