import { open } from 'node:fs/promises';

/** Makes durable what was written to a file, or a directory's names, by whomever. */
export async function syncFile(path: string): Promise<void> {
  const file = await open(path);
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
