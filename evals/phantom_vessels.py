"""Vessels and ducts of the upper abdomen, in the same terms and coordinates as the rest of the anatomy table.

They are painted over the organs: veins before arteries, ducts before both. The courses keep the relations that
matter for a pancreatic tumour: the superior mesenteric vein runs behind the pancreatic neck with its artery on its
left, the splenic vein behind body and tail, the left renal vein between aorta and superior mesenteric artery.
"""

from __future__ import annotations

from evals.phantom_anatomy import Entry, solid

VESSEL_ENTRIES: tuple[Entry, ...] = (
    Entry("pancreatic_duct", solid("duct"), course=((44, 46, 10), (30, 52, 24), (26, 56, 36), (9, 66, 53),
          (-22, 59, 66), (-56, 33, 74), (-86, 9, 79)), course_radii=(1.7, 1.7, 1.6, 1.6, 1.5, 1.4, 1.3), move=0,
          vary=0),
    Entry("common_bile_duct", solid("bile"), course=((56, 58, 96), (44, 58, 80), (36, 53, 62), (36, 47, 42),
          (38, 43, 24), (45, 43, 10)), course_radii=(2.4, 3.0, 3.2, 3.2, 3.0, 2.4), move=0, vary=0.08),
    Entry("hepatic_vein", solid("hepatic_vein"), course=((24, 11, 124), (58, 18, 119), (98, 26, 100),
          (120, 31, 76)), course_radii=(5.0, 4.6, 3.6, 2.4), move=0),
    Entry("hepatic_vein", solid("hepatic_vein"), course=((24, 14, 124), (38, 41, 117), (52, 65, 103), (61, 80, 82)),
          course_radii=(4.8, 4.2, 3.4, 2.4), move=0),
    Entry("hepatic_vein", solid("hepatic_vein"), course=((20, 16, 124), (15, 44, 119), (6, 64, 110), (-4, 78, 98)),
          course_radii=(4.6, 4.0, 3.2, 2.4), move=0),
    Entry("renal_vein_right", solid("renal_vein"), course=((22, 22, 27), (42, 17, 27), (53, 2, 26), (55, -12, 25)),
          course_radii=(4.4, 4.2, 3.8, 3.2), move=0),
    Entry("renal_vein_left", solid("renal_vein"), course=((-56, -12, 34), (-50, 8, 35), (-38, 24, 36), (-26, 34, 37),
          (-10, 41.5, 38), (6, 38, 37), (17, 26, 34)), course_radii=(3.2, 3.8, 4.0, 4.0, 3.8, 4.0, 4.2), move=0),
    Entry("splenic_vein", solid("portal_vein"), course=((-96, -12, 86), (-58, 15, 74), (-24, 44, 66),
          (4, 53, 57)), course_radii=(3.4, 4.0, 4.4, 5.2), move=0),
    Entry("superior_mesenteric_vein", solid("portal_vein"), course=((2, 68, -48), (6, 67, -16), (8, 62, 8),
          (8, 55, 34), (7, 53, 54)), course_radii=(4.4, 5.0, 5.4, 5.8, 6.0), move=0),
    Entry("portal_vein", solid("portal_vein"), course=((7, 53, 56), (20, 47, 74), (38, 47, 90), (52, 46, 98),
          (74, 42, 100), (100, 46, 106)), course_radii=(6.4, 6.8, 6.6, 6.0, 4.8, 3.2), move=0),
    Entry("portal_vein", solid("portal_vein"), course=((50, 46, 98), (34, 58, 103), (23, 71, 98), (19, 86, 88)),
          course_radii=(5.0, 4.6, 4.0, 2.8), move=0),
    Entry("aorta", solid("aorta"), course=((-6, 31, -42), (-10, 33, -2), (-11, 27, 34), (-12, 19, 68),
          (-13, 10, 99), (-15, 2, 140), (-17, -3, 230)), course_radii=(8, 8.8, 9.4, 10.2, 10.8, 11.2, 11.6),
          move=0, vary=0.07),
    Entry("superior_mesenteric_artery", solid("artery"), course=((-12, 25, 60), (-11, 38, 55), (-9, 46, 46),
          (-7, 52, 34), (-6, 57, 20), (-5, 63, 0), (-4, 67, -18), (-3, 70, -48)),
          course_radii=(3.8, 3.8, 3.7, 3.6, 3.5, 3.3, 3.1, 2.8), move=0, vary=0.05),
    Entry("celiac_trunk", solid("artery"), course=((-12, 20, 76), (-12, 33, 77), (-10, 46, 80)),
          course_radii=(3.7, 3.6, 3.4), move=0, vary=0.05),
    Entry("common_hepatic_artery", solid("artery"), course=((-10, 46, 80), (6, 54, 79), (20, 60, 80), (34, 60, 88)),
          course_radii=(3.0, 2.8, 2.7, 2.5), move=0, vary=0.05),
)  # fmt: skip
