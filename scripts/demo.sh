#!/bin/sh
# The main job on the embedded default: a synthetic scan without labels, questions about it, the report and its trace.
set -eu
BIN=${BIN:-.venv/bin}
DEMO=${DEMO:-demo}
SCAN=$DEMO/phantom/ct.nii.gz
rm -rf "$DEMO"
echo "== A synthetic abdominal CT with liver metastases, a kidney cyst and a colon cancer"
"$BIN/tumortrace" phantom make --seed 11 --lesion liver_metastasis:32:8 --lesion liver_metastasis:20:3 --lesion kidney_cyst:26:right --lesion colon_cancer:40 --out "$DEMO/phantom"
echo
echo "== Questions about the scan alone: what they need is segmented first"
for question in "Is the spleen enlarged, and how many liver lesions are there?" \
    "In which segment is the largest liver metastasis?" \
    "What is the stage of the colon cancer?"; do
    echo
    "$BIN/tumortrace" ask "$SCAN" "$question"
done
echo
echo "== The report on everything"
"$BIN/tumortrace" report "$SCAN" --out "$DEMO/report" --profile
echo
echo "== The trace, verified"
"$BIN/tumortrace" trace verify "$DEMO/report"
echo
echo "Open $DEMO/report/report.html in a browser for the pictures."
echo "To talk about the scan there: $BIN/tumortrace serve $DEMO/phantom"
