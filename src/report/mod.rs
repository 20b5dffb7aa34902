//! F4: PURE. Plans, findings and events to text, Markdown and JSON.
