/** What may be otherwise in a minute, such as a network or a folder in use: a command ends with it, a resident program tries again. */
import { Stated } from '@island/provisioning/stated.ts';

export class Passing extends Stated {}
