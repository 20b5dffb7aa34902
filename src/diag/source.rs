//! Texts with their lines counted once, so that a thousand diagnostics about a long file are printed as fast as they
//! are read.

use std::sync::Arc;

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

use super::SourceText;

/// A text and where its lines begin.
#[derive(Clone, Debug)]
pub(super) struct Lines(Arc<Counted>);

#[derive(Debug)]
struct Counted {
    source: Arc<SourceText>,
    starts: Vec<usize>,
}

impl Lines {
    /// Counts the lines of a text.
    pub fn of(source: &Arc<SourceText>) -> Self {
        let ends = source.text.match_indices('\n').map(|(at, _)| at + 1);
        let starts = std::iter::once(0).chain(ends).collect();
        Self(Arc::new(Counted { source: Arc::clone(source), starts }))
    }

    /// Whether these are the lines of that very text.
    pub fn is_of(&self, source: &Arc<SourceText>) -> bool {
        Arc::ptr_eq(&self.0.source, source) || self.0.source == *source
    }

    /// The name of the text.
    pub fn name(&self) -> &str {
        &self.0.source.name
    }

    /// Line and column, from 1; columns count characters.
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        let line = self.line(offset);
        let start = self.start(line);
        let column = self.0.source.text.get(start..).unwrap_or("").char_indices();
        (line + 1, column.take_while(|(at, _)| start + at < offset).count() + 1)
    }

    /// The line, from 0, of an octet.
    fn line(&self, offset: usize) -> usize {
        self.0.starts.partition_point(|start| *start <= offset).saturating_sub(1)
    }

    /// Where a line begins; the end of the text for lines behind it.
    fn start(&self, line: usize) -> usize {
        self.0.starts.get(line).copied().unwrap_or(self.0.source.text.len())
    }
}

impl SourceCode for Lines {
    /// Looks only at the lines around the span: the library would count from the first line each time.
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let end = span.offset().saturating_add(span.len());
        let first = self.line(span.offset()).saturating_sub(before + 1);
        let base = self.start(first);
        let bottom = self.start(self.line(end).saturating_add(after + 2));
        let window = self.0.source.text.get(base..bottom).ok_or(MietteError::OutOfBounds)?;
        let inner = SourceSpan::from((span.offset() - base, span.len()));
        let found = <str as SourceCode>::read_span(window, &inner, before, after)?;
        let place = SourceSpan::from((found.span().offset() + base, found.span().len()));
        let (line, lines) = (found.line() + first, found.line_count() + first);
        Ok(Box::new(MietteSpanContents::new(found.data(), place, line, found.column(), lines)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_shows_what_the_whole_text_shows() {
        let text = "one\ntwo\n\nfour é\nfive\r\nsix\nseven".to_owned();
        let lines = Lines::of(&Arc::new(SourceText { name: "t".into(), text: text.clone() }));
        for offset in 0..=text.len() {
            for len in 0..=(text.len() - offset) {
                for context in 0..3 {
                    let span = SourceSpan::from((offset, len));
                    let whole = <str as SourceCode>::read_span(&text, &span, context, context);
                    let part = lines.read_span(&span, context, context);
                    let (Ok(whole), Ok(part)) = (whole, part) else { continue };
                    assert_eq!(whole.data(), part.data(), "{offset} {len} {context}");
                    assert_eq!(whole.span(), part.span(), "{offset} {len} {context}");
                    assert_eq!(
                        (whole.line(), whole.column()),
                        (part.line(), part.column()),
                        "{offset} {len} {context}"
                    );
                }
            }
        }
    }
}
