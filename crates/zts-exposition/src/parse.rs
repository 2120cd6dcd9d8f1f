//! Parses the text format.

/// One value of a metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The metric's name.
    pub name: String,
    /// The labels in their order.
    pub labels: Vec<(String, String)>,
    /// The value.
    pub value: f64,
}

/// Parses the samples of a text, in order.
///
/// # Errors
/// The number of the first line, from 1, that is neither a comment nor a sample. A sample with a
/// timestamp is an error, because it could not be distinguished from a current one.
pub fn parse(text: &str) -> Result<Vec<Sample>, usize> {
    let lines = text.lines().enumerate();
    let lines = lines.filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    lines
        .map(|(index, line)| parse_sample(line).ok_or(index + 1))
        .collect()
}

fn parse_sample(line: &str) -> Option<Sample> {
    let (name, rest) = split_name(line)?;
    let (labels, rest) = match rest.strip_prefix('{') {
        None => (Vec::new(), rest),
        Some(inside) => split_labels(inside)?,
    };
    let value = rest.strip_prefix([' ', '\t'])?.trim();
    Some(Sample {
        name: name.to_owned(),
        labels,
        value: parse_number(value)?,
    })
}

/// Splits a name off the rest.
fn split_name(text: &str) -> Option<(&str, &str)> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == ':';
    let end = text.find(|letter| !is_part(letter)).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    let first = word.chars().next()?;
    (!first.is_ascii_digit()).then_some((word, rest))
}

/// Splits labels, up to their closing brace, off the rest.
fn split_labels(mut text: &str) -> Option<(Vec<(String, String)>, &str)> {
    let mut labels = Vec::new();
    loop {
        text = text.trim_start();
        if let Some(rest) = text.strip_prefix('}') {
            return Some((labels, rest));
        }
        let (name, rest) = split_name(text)?;
        let (value, rest) = split_quoted(rest.strip_prefix("=\"")?)?;
        if labels.iter().any(|(known, _)| known == name) {
            return None;
        }
        labels.push((name.to_owned(), value));
        let rest = rest.trim_start();
        text = match rest.strip_prefix(',') {
            Some(rest) => rest,
            None if rest.starts_with('}') => rest,
            None => return None,
        };
    }
}

/// Splits a text, up to its closing quotation mark, off the rest.
fn split_quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((index, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, &text[index + 1..])),
            '\\' => value.push(match letters.next()?.1 {
                'n' => '\n',
                escaped @ ('\\' | '"') => escaped,
                _ => return None,
            }),
            letter => value.push(letter),
        }
    }
    None
}

fn parse_number(text: &str) -> Option<f64> {
    match text {
        "+Inf" | "Inf" => Some(f64::INFINITY),
        "-Inf" => Some(f64::NEG_INFINITY),
        "NaN" => Some(f64::NAN),
        _ if text.contains(|letter: char| letter.is_ascii_digit()) => text.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn output_of_go_programs_is_parsed() {
        let text = "# HELP a b\n# TYPE a summary\na{quantile=\"0.5\",} 1e-05\na_sum 2.0155088e+07\n\n\
                    a_count 3\nb{c=\"d\" } NaN\n";
        let samples = parse(text).unwrap();
        assert_eq!(samples.len(), 4, "{samples:?}");
        assert!((samples[1].value - 20_155_088.0).abs() < 1.0);
        assert!(samples[3].value.is_nan());
    }

    /// Generates a line in the format, or nearly so.
    fn line() -> impl Strategy<Value = String> {
        let labels = r#"(\{([a-z_]{1,3}="([a-z ü\\"},]|\\\\n){0,6}",?){0,3}\})?"#;
        let good = format!(
            "[a-z_:][a-z0-9_:]{{0,8}}{labels} (-?[0-9]{{1,9}}(\\.[0-9]{{1,4}})?|NaN|[+-]Inf)"
        );
        let good = proptest::string::string_regex(&good).unwrap();
        prop_oneof![good, "# [A-Z]{0,4}.{0,9}", ".{0,30}"]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn an_accepted_line_has_one_meaning(lines in prop::collection::vec(line(), 0..6)) {
            let Ok(samples) = parse(&lines.join("\n")) else { return Ok(()) };
            for sample in samples {
                let labels: Vec<_> = sample.labels.iter().map(|(name, value)| {
                    let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
                    format!("{name}=\"{value}\"")
                }).collect();
                let again = format!("{}{{{}}} {:?}", sample.name, labels.join(","), sample.value);
                let again = again.replace(" inf", " +Inf").replace("-inf", "-Inf");
                let again = parse(&again).map_err(|_| TestCaseError::fail(again))?;
                prop_assert_eq!(&again[0].name, &sample.name);
                prop_assert_eq!(&again[0].labels, &sample.labels);
                let bits = |value: f64| value.to_bits();
                prop_assert!(bits(again[0].value) == bits(sample.value) || sample.value.is_nan());
            }
        }
    }

    #[test]
    fn an_invalid_line_is_refused_with_its_number() {
        for line in [
            "a",
            "a b",
            "1a 1",
            "a{b=c} 1",
            "a{b=\"c\" 1",
            "a{b=\"c} 1",
            "a{b=\"\\x\"} 1",
            "a{b=\"c\"d=\"e\"} 1",
            "a{b=\"c\",b=\"d\"} 1",
            "a 1 1795549899000",
            "a infinity",
            "ü 1",
            "a{b=\"c\"}1",
            "<html>",
        ] {
            assert_eq!(parse(&format!("ok 1\n{line}\n")), Err(2), "{line}");
        }
    }
}
