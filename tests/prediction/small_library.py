"""A library of 22 SMILES; three of them cannot be predicted."""

SMILES = [
    *("CO", "C(C", "CCO", "O", "[Si]", "CN", "F", "C#N", "CF", "OO", "NN"),
    *("C=O", "CC", "C=C", "C#C", "N", "OF", "CCF", "*C", "CCN", "NCO", "NC=O"),
]
BAD = {1: "parentheses", 4: "not trained on Si", 18: "placeholder"}
