/** Names inside the data directory. */
export const memberDirectory = 'member';
export const journalDirectory = 'journal';
