/** A command that did what it could, of which a part failed and was said: exit code 1, no further word. */
export class PartlyFailed extends Error {
  override name = 'PartlyFailed';
}
