#!/usr/bin/env node
import { start } from '../dist/bin/start.js';

await start(process.argv.slice(2));
