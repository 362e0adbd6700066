/** A volume cannot be set up now. The message follows `MountVolume.SetUp failed for volume "x" : `. */
export class VolumeError extends Error {
  override name = 'VolumeError';
}
