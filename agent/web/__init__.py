"""The server behind the page: scans, conversations, runs, evidence and reviews over HTTP."""
