#!/bin/sh
# The main job on the embedded default: a synthetic scan, questions about it, the report and its trace.
set -eu
BIN=${BIN:-.venv/bin}
DEMO=${DEMO:-demo}
rm -rf "$DEMO"
echo "== A synthetic abdominal CT with three lesions"
"$BIN/tumortrace" phantom make --seed 7 --lesion liver_metastasis:32 --lesion liver_metastasis:18 --lesion kidney_cyst:24:left --out "$DEMO/phantom"
echo
echo "== A question"
"$BIN/tumortrace" ask "$DEMO/phantom/ct.nii.gz" "Is the spleen enlarged, and how many liver lesions are there?" \
    --labels "$DEMO/phantom/labels.nii.gz" --out "$DEMO/question"
echo
echo "== The report on everything"
"$BIN/tumortrace" report "$DEMO/phantom/ct.nii.gz" --labels "$DEMO/phantom/labels.nii.gz" --out "$DEMO/report" --profile
echo
echo "== The trace, verified"
"$BIN/tumortrace" trace verify "$DEMO/report"
echo
echo "Open $DEMO/report/report.html in a browser for the pictures."
