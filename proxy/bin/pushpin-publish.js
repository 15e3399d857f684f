#!/usr/bin/env node
// `holdfast publish` under Pushpin's name, for scripts that call it.
import { publishMain } from '../dist/publish-command.js';

await publishMain('pushpin-publish', process.argv.slice(2));
