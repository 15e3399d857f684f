#!/usr/bin/env node
// Holdfast under Pushpin's name, for tools that look for it on the PATH: looks for pushpin.conf where Pushpin does.
import { main } from '../dist/cli.js';
import { pushpinSearch } from '../dist/config/load.js';

await main({ search: pushpinSearch });
