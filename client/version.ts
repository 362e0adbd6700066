/** The API level that this cluster serves and the versions that its components report. */
export const version = {
  major: '1',
  minor: '34',
  gitVersion: 'v1.34.0+nekalakube0.1.0',
} as const;
