//! The way into the parser for fuzzing: what a server sends is whatever it likes. No part of the interface.

use bytes::BytesMut;

use super::{
    body::Body,
    frame::{Framer, Piece},
    response::Response,
    token::Frame,
};

/// The responses of a byte stream that comes in these chunks; what follows an unreadable place is left out.
pub(super) fn responses<'c>(chunks: impl IntoIterator<Item = &'c [u8]>) -> Vec<Response> {
    let mut framer = Framer::default();
    let mut input = BytesMut::new();
    let mut frame = Frame::default();
    let mut literal: Option<Vec<u8>> = None;
    let mut out = Vec::new();
    for chunk in chunks {
        input.extend_from_slice(chunk);
        loop {
            let piece = match framer.next(&mut input) {
                Ok(Some(piece)) => piece,
                Ok(None) => break,
                Err(_) => return out,
            };
            if let Piece::Literal(octets) = piece {
                literal.get_or_insert_default().extend_from_slice(&octets);
                continue;
            }
            frame.literals.extend(literal.take().map(Body::from));
            match piece {
                Piece::Text(text, _) => {
                    frame.texts.push(text);
                    literal = Some(Vec::new());
                }
                Piece::End(text) => {
                    frame.texts.push(text);
                    out.push(Response::parse(&std::mem::take(&mut frame)));
                }
                Piece::Literal(_) => {}
            }
        }
    }
    out
}

/// Whether a stream gives the same responses when it comes whole, octet by octet and in pieces of seven: it must.
#[must_use]
pub fn same_in_any_chunks(octets: &[u8]) -> bool {
    let whole = format!("{:?}", responses([octets]));
    [1, 7].into_iter().all(|size| format!("{:?}", responses(octets.chunks(size))) == whole)
}
