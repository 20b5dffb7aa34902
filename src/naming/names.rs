//! Names of folders: what they are for, how a target can hold them, which differ only in form. Pure.

use icu_normalizer::ComposingNormalizerBorrowed;

use crate::model::{Digest, SpecialUse};

/// Names that mail programs and platforms give to folders with a purpose, folded. Only consulted where no server says
/// it by attribute (RFC 6154).
const WORDS: [(SpecialUse, &[&str]); 5] = [
    (
        SpecialUse::Sent,
        &[
            "sent",
            "sent items",
            "sent mail",
            "sent messages",
            "outbox sent",
            "gesendet",
            "gesendete elemente",
            "gesendete objekte",
            "gesendete nachrichten",
            "éléments envoyés",
            "messages envoyés",
            "envoyés",
            "envoyé",
            "courrier envoyé",
            "posta inviata",
            "inviata",
            "inviati",
            "elementi inviati",
            "messaggi inviati",
            "enviados",
            "elementos enviados",
            "mensajes enviados",
            "correo enviado",
            "enviadas",
            "itens enviados",
            "mensagens enviadas",
            "verzonden",
            "verzonden items",
            "verzonden berichten",
            "wysłane",
            "elementy wysłane",
            "skickat",
            "skickade objekt",
            "sendt",
            "sendte elementer",
            "sendt post",
            "lähetetyt",
            "odeslané",
            "odeslaná pošta",
            "elküldött elemek",
            "отправленные",
            "gönderilmiş öğeler",
            "trimise",
            "elemente trimise",
            "απεσταλμένα",
            "надіслані",
            "изпратени",
            "enviats",
            "poslano",
            "poslane stavke",
            "poslana pošta",
            "odoslané",
            "odoslaná pošta",
            "saadetud",
            "nosūtītie",
            "išsiųsti",
            "elküldött",
        ],
    ),
    (
        SpecialUse::Drafts,
        &[
            "drafts",
            "draft",
            "entwürfe",
            "entwurf",
            "brouillons",
            "brouillon",
            "bozze",
            "borradores",
            "rascunhos",
            "concepten",
            "wersje robocze",
            "kopie robocze",
            "szkice",
            "utkast",
            "kladder",
            "luonnokset",
            "koncepty",
            "rozepsané",
            "piszkozatok",
            "черновики",
            "taslaklar",
            "ciorne",
            "πρόχειρα",
            "чернетки",
            "чернови",
            "esborranys",
            "skice",
            "osnutki",
            "rozpracované",
            "mustandid",
            "juodraščiai",
            "melnraksti",
            "borrador",
            "rascunho",
        ],
    ),
    (
        SpecialUse::Trash,
        &[
            "trash",
            "deleted items",
            "deleted messages",
            "deleted",
            "bin",
            "papierkorb",
            "gelöschte elemente",
            "gelöschte objekte",
            "gelöscht",
            "corbeille",
            "éléments supprimés",
            "messages supprimés",
            "cestino",
            "posta eliminata",
            "elementi eliminati",
            "eliminata",
            "papelera",
            "papelera de reciclaje",
            "elementos eliminados",
            "eliminados",
            "lixeira",
            "lixo",
            "itens excluídos",
            "itens eliminados",
            "prullenbak",
            "prullenmand",
            "verwijderde items",
            "kosz",
            "elementy usunięte",
            "papperskorgen",
            "borttaget",
            "slettet post",
            "slettede elementer",
            "papirkurv",
            "roskakori",
            "koš",
            "odstraněná pošta",
            "törölt elemek",
            "корзина",
            "удаленные",
            "silinmiş öğeler",
            "elemente șterse",
            "coș de gunoi",
            "κάδος απορριμμάτων",
            "διαγραμμένα",
            "кошик",
            "видалені",
            "кошче",
            "изтрити",
            "paperera",
            "elements suprimits",
            "smeće",
            "izbrisane stavke",
            "kôš",
            "odstránená pošta",
            "prügikast",
            "šiukšlinė",
            "atkritne",
            "kuka",
            "удалённые",
        ],
    ),
    (
        SpecialUse::Junk,
        &[
            "junk",
            "spam",
            "junk e-mail",
            "junk email",
            "junk mail",
            "bulk mail",
            "unerwünscht",
            "spamverdacht",
            "courrier indésirable",
            "indésirables",
            "pourriel",
            "posta indesiderata",
            "indesiderata",
            "correo no deseado",
            "no deseado",
            "lixo eletrônico",
            "lixo electrónico",
            "lixo eletrónico",
            "ongewenste e-mail",
            "ongewenst",
            "wiadomości-śmieci",
            "wiadomości śmieci",
            "skräppost",
            "søppelpost",
            "roskaposti",
            "nevyžádaná pošta",
            "levélszemét",
            "спам",
            "нежелательная почта",
            "önemsiz e-posta",
            "mesaje nedorite",
            "ανεπιθύμητα",
            "ανεπιθύμητη αλληλογραφία",
            "небажана пошта",
            "нежелана поща",
            "correu brossa",
            "neželjena pošta",
            "nevyžiadaná pošta",
            "rämpspost",
            "brukalas",
            "mēstules",
            "bulk",
            "indésirable",
            "werbung und spam",
        ],
    ),
    (
        SpecialUse::Archive,
        &[
            "archive",
            "archives",
            "archiv",
            "archivio",
            "archivo",
            "arquivo",
            "arquivo morto",
            "archief",
            "archiwum",
            "arkiv",
            "arkisto",
            "архив",
            "arşiv",
            "arhivă",
            "arhiva",
            "αρχειοθέτηση",
            "архів",
            "arxiu",
            "archív",
            "arhiiv",
            "archyvas",
            "arhīvs",
            "archívum",
        ],
    ),
];

/// What a folder is for, by its name in some language. A folder of that name below another folder means nothing.
#[must_use]
pub fn role(name: &str) -> Option<SpecialUse> {
    let folded = folded(name.trim());
    WORDS.iter().find(|(_, words)| words.contains(&folded.as_str())).map(|(role, _)| *role)
}

/// How well a name fits its purpose: the lower the better. Tells "Sent" from "Sent Messages" where both are there.
#[must_use]
pub fn rank(name: &str) -> usize {
    let folded = folded(name.trim());
    WORDS.iter().find_map(|(_, words)| words.iter().position(|w| *w == folded)).unwrap_or(usize::MAX)
}

/// A name in composed form (NFC).
#[must_use]
pub fn composed(name: &str) -> String {
    ComposingNormalizerBorrowed::new_nfc().normalize(name).into_owned()
}

/// A name in composed form and lower case: equal for names that a careless server takes for one.
#[must_use]
pub fn folded(name: &str) -> String {
    composed(&composed(name).to_lowercase())
}

/// Which characters a target refuses in a folder's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The target's delimiter.
    pub delimiter: Option<char>,
    /// Also everything that one server or another is known to refuse, because this target refused the plain name.
    pub strict: bool,
}

impl Refused {
    fn is(self, c: char, first: bool, last: bool) -> bool {
        let odd = "./\\~:*?\"<>|#%^".contains(c) || (c == ' ' && (first || last));
        c.is_control() || Some(c) == self.delimiter || (self.strict && odd)
    }
}

/// Writes one component so that the target can hold it: a refused character becomes `=` and two hex digits per octet.
/// The name can be had back from it: nothing else looks like this afterwards.
#[must_use]
pub fn escape(component: &str, refused: Refused) -> String {
    let chars: Vec<char> = component.chars().collect();
    let mut out = String::with_capacity(component.len());
    let hex = |c: Option<&char>| c.is_some_and(|c| c.is_ascii_digit() || ('A'..='F').contains(c));
    for (i, c) in chars.iter().enumerate() {
        let looks_escaped = *c == '=' && hex(chars.get(i + 1)) && hex(chars.get(i + 2));
        if looks_escaped || refused.is(*c, i == 0, i + 1 == chars.len()) {
            let mut buffer = [0; 4];
            for byte in c.encode_utf8(&mut buffer).bytes() {
                use std::fmt::Write as _;
                let _ = write!(out, "={byte:02X}");
            }
        } else {
            out.push(*c);
        }
    }
    out
}

/// How many characters of a name are left when it is shortened.
const KEPT: usize = 24;

/// A short name for a path that is too long or too deep for a target: the start of its last component, and a mark that
/// no other path has. The name cannot be had back from it; whoever chose it keeps it with the path.
#[must_use]
pub fn shortened(path: &[String], delimiter: Option<char>) -> String {
    let refused = |c: char| Refused { delimiter, strict: true }.is(c, false, false) || c == '=';
    let last = path.last().map_or("", String::as_str);
    let start: String = last.chars().map(|c| if refused(c) { '_' } else { c }).take(KEPT).collect();
    let mark = Digest::of(path.join("\0").as_bytes()).to_string();
    format!("{}-{}", start.trim(), mark.get(..10).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The name that [`escape`] was given. Text that it never wrote comes back as it is.
    fn unescape(component: &str) -> String {
        let bytes = component.as_bytes();
        let mut out = Vec::with_capacity(bytes.len());
        let mut i = 0;
        while let Some(byte) = bytes.get(i) {
            let digits =
                component.get(i + 1..i + 3).filter(|d| d.bytes().all(|b| matches!(b, b'0'..=b'9' | b'A'..=b'F')));
            match digits.and_then(|d| u8::from_str_radix(d, 16).ok()) {
                Some(value) if *byte == b'=' => {
                    out.push(value);
                    i += 3;
                }
                _ => {
                    out.push(*byte);
                    i += 1;
                }
            }
        }
        String::from_utf8(out).unwrap_or_else(|_| component.to_owned())
    }

    #[test]
    fn purposes_are_known_in_many_languages() {
        for (name, wanted) in [
            ("Éléments envoyés", SpecialUse::Sent),
            ("E\u{301}le\u{301}ments envoye\u{301}s", SpecialUse::Sent),
            ("Gelöschte Elemente", SpecialUse::Trash),
            ("Posta indesiderata", SpecialUse::Junk),
            ("Rascunhos", SpecialUse::Drafts),
            ("Archiwum", SpecialUse::Archive),
        ] {
            assert_eq!(role(name), Some(wanted), "{name}");
        }
        assert_eq!(role("Projekte"), None);
        assert!(rank("Sent") < rank("Sent Messages"));
    }

    #[test]
    fn every_word_is_in_folded_form_and_means_one_thing() {
        let mut seen = std::collections::BTreeSet::new();
        for (_, words) in WORDS {
            for word in words {
                assert_eq!(folded(word), *word);
                assert!(seen.insert(*word), "{word}");
            }
        }
    }

    #[test]
    fn only_what_the_target_refuses_is_escaped() {
        let dot = Refused { delimiter: Some('.'), strict: false };
        assert_eq!(escape("v1.2 a/b", dot), "v1=2E2 a/b");
        assert_eq!(escape("a=2E", dot), "a=3D2E");
        assert_eq!(escape("a=b", dot), "a=b");
        assert_eq!(escape(" a/b ", Refused { strict: true, ..dot }), "=20a=2Fb=20");
    }

    proptest! {
        #[test]
        fn escaping_can_be_taken_back(name in "[ -~äé=./A-F0-9]{0,12}", dot in any::<bool>(), strict in any::<bool>()) {
            let refused = Refused { delimiter: Some(if dot { '.' } else { '/' }), strict };
            prop_assert_eq!(unescape(&escape(&name, refused)), name);
        }

        #[test]
        fn any_name_survives_and_holds_no_delimiter(name in any::<String>(), strict in any::<bool>()) {
            let refused = Refused { delimiter: Some('/'), strict };
            let escaped = escape(&name, refused);
            prop_assert!(!escaped.contains('/'));
            prop_assert_eq!(unescape(&escaped), name);
        }
    }
}
