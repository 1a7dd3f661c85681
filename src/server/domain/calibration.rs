//! How far several reviewers agree who judged the same cases without knowing of each other. Pure.
//!
//! Of each question every two reviewers are compared over the cases that both answered: the share of equal answers, and
//! Cohen's kappa. Of more than two, the kappa of a question is the mean of those of the pairs (Light's kappa).

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use utoipa::ToSchema;

use crate::server::domain::estimate::Agreement;

/// The answers of one reviewer to the questions of one case, as texts that are equal or not.
#[derive(Clone, Debug)]
pub(crate) struct Judged {
    pub(crate) case_no: i64,
    pub(crate) reviewer: String,
    pub(crate) answers: BTreeMap<String, String>,
}

/// How far reviewers agree on a question.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct QuestionAgreement {
    /// `verdict` of alerts, or an item of the form.
    pub(crate) question: String,
    #[serde(flatten)]
    pub(crate) agreement: Agreement,
}

/// How far two reviewers agree over all questions.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct PairAgreement {
    pub(crate) first: String,
    pub(crate) second: String,
    #[serde(flatten)]
    pub(crate) agreement: Agreement,
}

type Answers<'a> = Vec<(&'a str, &'a str)>;

/// By question, in their order, and by two reviewers.
pub(crate) fn compare(judged: &[Judged]) -> (Vec<QuestionAgreement>, Vec<PairAgreement>) {
    let mut by_question: BTreeMap<&str, BTreeMap<(&str, &str), Answers<'_>>> = BTreeMap::new();
    let mut by_pair: BTreeMap<(&str, &str), Answers<'_>> = BTreeMap::new();
    for (index, one) in judged.iter().enumerate() {
        for other in judged[index + 1..].iter().filter(|other| other.case_no == one.case_no) {
            let (one, other) = if one.reviewer <= other.reviewer { (one, other) } else { (other, one) };
            if one.reviewer == other.reviewer {
                continue;
            }
            let pair = (one.reviewer.as_str(), other.reviewer.as_str());
            for (question, answer) in &one.answers {
                let Some(others) = other.answers.get(question) else { continue };
                by_question.entry(question).or_default().entry(pair).or_default().push((answer, others));
                by_pair.entry(pair).or_default().push((answer, others));
            }
        }
    }
    let questions = by_question.into_iter().map(|(question, pairs)| {
        let told: Vec<Agreement> = pairs.values().map(|answers| agreement(answers)).collect();
        QuestionAgreement { question: question.to_owned(), agreement: mean(&told) }
    });
    let pairs = by_pair.into_iter().map(|((first, second), answers)| PairAgreement {
        first: first.to_owned(),
        second: second.to_owned(),
        agreement: agreement(&answers),
    });
    (questions.collect(), pairs.collect())
}

fn round(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}

#[allow(clippy::cast_precision_loss, reason = "no session has 2^53 answers")]
fn agreement(answers: &[(&str, &str)]) -> Agreement {
    let count = answers.len().max(1) as f64;
    let equal = answers.iter().filter(|(first, second)| first == second).count() as f64 / count;
    let words: BTreeSet<&str> = answers.iter().flat_map(|(first, second)| [*first, *second]).collect();
    let share = |of: fn(&(&str, &str)) -> String, word: &str| {
        answers.iter().filter(|pair| of(pair) == word).count() as f64 / count
    };
    let by_chance: f64 =
        words.iter().map(|word| share(|pair| pair.0.to_owned(), word) * share(|pair| pair.1.to_owned(), word)).sum();
    let kappa = (by_chance < 1.0).then(|| round((equal - by_chance) / (1.0 - by_chance)));
    Agreement { pairs: answers.len() as u64, agreement: round(equal), kappa }
}

/// The mean of the pairs; no kappa where none has one.
#[allow(clippy::cast_precision_loss, reason = "no session has 2^53 answers")]
fn mean(told: &[Agreement]) -> Agreement {
    let pairs: u64 = told.iter().map(|one| one.pairs).sum();
    let agreement = told.iter().map(|one| one.agreement * one.pairs as f64).sum::<f64>() / pairs.max(1) as f64;
    let kappas: Vec<f64> = told.iter().filter_map(|one| one.kappa).collect();
    let kappa = (!kappas.is_empty()).then(|| round(kappas.iter().sum::<f64>() / kappas.len() as f64));
    Agreement { pairs, agreement: round(agreement), kappa }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(case_no: i64, reviewer: &str, answers: &[(&str, &str)]) -> Judged {
        let answers = answers.iter().map(|(question, answer)| ((*question).to_owned(), (*answer).to_owned())).collect();
        Judged { case_no, reviewer: reviewer.to_owned(), answers }
    }

    #[test]
    fn kappa_of_several_answers_is_cohens_and_of_several_reviewers_its_mean() {
        // The example of many textbooks as answers to one question: p_o 0.7, p_e 0.5.
        let counts = [("yes", "yes", 20), ("no", "no", 15), ("yes", "no", 5), ("no", "yes", 10)];
        let pairs: Vec<(&str, &str)> = counts.iter().flat_map(|&(a, b, n)| vec![(a, b); n]).collect();
        let all: Vec<Judged> = (0..)
            .zip(&pairs)
            .flat_map(|(case, (a, b))| [judged(case, "甲", &[("q", a)]), judged(case, "乙", &[("q", b)])])
            .collect();
        let (questions, by_pair) = compare(&all);
        let expected = Agreement { pairs: 50, agreement: 0.7, kappa: Some(0.4) };
        assert_eq!(questions, [QuestionAgreement { question: "q".to_owned(), agreement: expected }]);
        assert_eq!((by_pair[0].first.as_str(), by_pair[0].agreement), ("乙", expected));
        // A third who agrees with the first always: (0.4 + 0.4 + 1) / 3.
        let third = (0..).zip(&pairs).map(|(case, (a, _))| judged(case, "丙", &[("q", a)]));
        let (questions, by_pair) = compare(&all.into_iter().chain(third).collect::<Vec<_>>());
        assert_eq!((questions[0].agreement.kappa, questions[0].agreement.pairs, by_pair.len()), (Some(0.6), 150, 3));
    }

    #[test]
    fn only_what_both_answered_is_compared() {
        let all = [
            judged(1, "甲", &[("a", "yes"), ("b", "3")]),
            judged(1, "乙", &[("a", "yes")]),
            judged(2, "甲", &[("a", "no")]),
        ];
        let (questions, _) = compare(&all);
        assert_eq!(questions.len(), 1);
        assert_eq!(questions[0].agreement, Agreement { pairs: 1, agreement: 1.0, kappa: None });
    }
}
