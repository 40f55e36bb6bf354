"""Image: one picture through every layer, one of the study or one of the reader's own."""

import streamlit as st

from nap_core.ui.image_choice import STUDY, pick_image, pick_side, pick_upload
from nap_core.ui.image_panel import (
    nothing_followed,
    show_company,
    show_fellows,
    show_subject,
    study_subject,
    upload_subject,
)
from nap_core.ui.resources import current_study
from nap_core.ui.widgets import group_missing, pick_clustering

study = current_study()
config = pick_clustering(study)
group_missing(study, study.layer_names, config)

st.title("Where does this picture go?")
st.caption("One picture through every layer: its pattern there, how firmly it belongs, and which images lie nearest.")
if pick_side(study) == STUDY:
    subject = study_subject(study, pick_image(study, config), config)
    show_subject(study, subject, config)
    show_company(study, subject, config)
    show_fellows(study, subject, config)
    st.stop()
upload = pick_upload(study)
if upload is None:
    nothing_followed(study)
    st.stop()
subject = upload_subject(study, upload, config)
show_subject(study, subject, config)
show_fellows(study, subject, config)
